import MinkeFiles
import MinkeTraining
import Testing

@Suite struct RunConfigurationTests {
    @Test(arguments: Preset.allCases) func presetsAreValidAtEverySize(preset: Preset) throws {
        for depth in [nil, 1, 2, 3, 5, 8, 12] as [Int?] {
            let run = try preset.configuration(depth: depth)
            try run.validate()
            if let depth { #expect(run.model.numHiddenLayers == depth) }
        }
        #expect(throws: InputError.self) { try preset.configuration(depth: 0) }
    }

    @Test func onlyTheSmallestRunsKeepToOneThread() throws {
        #expect(try !Preset.shakespeareFast.configuration().isWorthManyThreads)
        #expect(try Preset.reference.configuration().isWorthManyThreads)
    }

    @Test func settingsSurviveJSON() throws {
        var run = try Preset.sparse.configuration()
        for assignment in [
            "steps=77", "q_lora_rank=32", "init_output_std=null", "precision=f32", "schedule=cosine", "muon=false",
        ] {
            try run.apply(assignment: assignment)
        }
        var copy = try Preset.shakespeare.configuration()
        try copy.apply(JSON(parsing: JSON.object(run.json).text()).objectValue ?? [:])
        #expect(copy == run)
        #expect(copy.differences(from: run).isEmpty)
    }

    @Test(arguments: [
        ("lerning_rate=1", "learning_rate"), ("steps=many", "whole number"), ("steps=1.5", "whole number"),
        ("precision=f64", "f32, bf16"), ("muon=maybe", "true or false"), ("steps", "name=value"), ("=3", "name=value"),
    ])
    func mistakesAreNamed(assignment: String, hint: String) throws {
        var run = try Preset.sparse.configuration()
        let error = #expect(throws: InputError.self) { try run.apply(assignment: assignment) }
        #expect(error?.description.contains(hint) == true)
    }

    @Test(arguments: [
        "sequence_length=1", "sequence_length=100000", "batch_size=0", "steps=0", "validation_fraction=1", "beta1=1",
        "learning_rate=-1", "num_experts_per_tok=99", "n_group=3", "qk_rope_head_dim=5", "hidden_size=0",
        "vocab_size=0", "qk_nope_head_dim=7", "ngram_max_order=1", "ngram_max_order=2", "value_embedding_order=2",
        "ngram_hashes=2", "logit_softcap=-1", "muon_steps=0", "muon_interval=0", "batch_start=0", "batch_start=999",
        "sequence_start=3", "sequence_warmup=2", "table_learning_rate=-1", "weight_decay=5000",
    ])
    func impossibleValuesAreRefused(assignment: String) throws {
        var run = try Preset.sparse.configuration()
        try run.apply(assignment: assignment)
        let error = #expect(throws: InputError.self) { try run.validate() }
        #expect(error?.location != nil)
    }

    @Test func schedulesRiseStayAndFall() {
        var schedule = RateSchedule()
        schedule.warmupSteps = 10
        schedule.decayFraction = 0.25
        #expect(schedule.factor(step: 0, total: 100) < 0.1 && schedule.factor(step: 50, total: 100) == 1)
        #expect(schedule.factor(step: 99, total: 100) <= 0.05)
        schedule.shape = .cosine
        #expect(abs(schedule.factor(step: 55, total: 100) - 0.5) < 0.01)
        schedule.shape = .constant
        #expect(schedule.factor(step: 99, total: 100) == 1)
    }

    @Test func sizesGrow() {
        var sizes = SizeSchedule()
        #expect(sizes.sequences(step: 0, total: 100, full: 32) == 32)
        #expect(sizes.length(step: 0, total: 100, full: 256) == 256)
        sizes.firstBatch = 8
        sizes.batchWarmup = 0.5
        sizes.firstLength = 64
        sizes.lengthWarmup = 0.4
        let batches = (0..<100).map { sizes.sequences(step: $0, total: 100, full: 32) }
        #expect(batches[0] == 8 && batches[25] == 20 && batches[50] == 32 && batches[99] == 32)
        #expect(zip(batches, batches.dropFirst()).allSatisfy { $0 <= $1 })
        let lengths = (0..<100).map { sizes.length(step: $0, total: 100, full: 256) }
        #expect(lengths[0] == 64 && lengths[19] == 64 && lengths[20] == 128 && lengths[40] == 256)
        #expect(Set(lengths) == [64, 128, 256])
    }
}
