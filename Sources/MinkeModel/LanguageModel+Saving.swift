import MinkeCheckpoints
import MinkeFiles
import MinkeTensors

extension LanguageModel {
    /// Writes `config.json`, `model.safetensors` (`float32`) and `generation_config.json` into a folder, each file
    /// replaced atomically. transformers loads it as a released architecture.
    public func write(to folder: String) throws {
        try FileSystem.createDirectory(folder)
        // Prediction modules carry copies of embedding and head on disk, as the released checkpoints do.
        var tensors: [(name: String, shape: [Int], value: Tensor)] = weights.map { ($0.name, $0.shape, $0.value) }
        let embedding = weights.first { $0.role == .embedding }
        let head = weights.first { $0.role == .head } ?? embedding
        for depth in 0..<configuration.numNextnPredictLayers {
            let prefix = "model.layers.\(configuration.numHiddenLayers + depth)."
            if let embedding { tensors.append((prefix + "embed_tokens.weight", embedding.shape, embedding.value)) }
            if let head { tensors.append((prefix + "shared_head.head.weight", head.shape, head.value)) }
        }
        try SafetensorsWriter.write(
            to: FileSystem.join(folder, "model.safetensors"),
            tensors: tensors.map { ($0.name, .float32, $0.shape) }, metadata: ["format": "pt"]
        ) { index, write in
            try tensors[index].value.withUnsafeBytes(write)
        }
        try AtomicFile.write(configuration.json.text(indented: true) + "\n", to: FileSystem.join(folder, "config.json"))
        var generation: JSON.Object = ["_from_model_config": true, "do_sample": false]
        generation["bos_token_id"] = configuration.bosTokenID.map { .integer($0) }
        generation["eos_token_id"] = configuration.eosTokenID.map { .integer($0) }
        try AtomicFile.write(
            JSON.object(generation).text(indented: true) + "\n",
            to: FileSystem.join(folder, "generation_config.json"))
    }
}
