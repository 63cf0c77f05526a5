import MinkeFiles
import MinkeModel
import MinkeTraining
import Testing

@Suite struct AutomaticRecipeTests {
    static let machine = AutomaticRecipe.Machine(float32: 1e11, bfloat16: 1e11, memoryBytes: 16 << 30)

    @Test func moreTimeBuysMoreModelAndMoreText() throws {
        let budgets = [1.0, 30, 300, 3000, 100_000]
        let runs = try budgets.map {
            try AutomaticRecipe(seconds: $0, textBytes: 1 << 30, machine: Self.machine).configuration
        }
        for (less, more) in zip(runs, runs.dropFirst()) {
            #expect(ModelCosts(less.model).activeParameters <= ModelCosts(more.model).activeParameters)
            #expect(less.steps * less.tokensPerStep < more.steps * more.tokensPerStep)
            #expect(less.tokensPerStep <= more.tokensPerStep)
        }
        #expect(runs[0].model.nRoutedExperts == 0 && runs[4].model.nRoutedExperts > 0)
    }

    @Test(arguments: [0.01, 1, 60, 600, 86_400, 9e8], [1, 100_000, 70_000_000])
    func everyChoiceIsAReleasedArchitectureThatCanTrain(seconds: Double, textBytes: Int) throws {
        let recipe = try AutomaticRecipe(seconds: seconds, textBytes: textBytes, machine: Self.machine)
        try recipe.configuration.validate()
        #expect(recipe.configuration.model.modelType == "deepseek_v3")
        let layers = recipe.configuration.model.numHiddenLayers
        #expect(
            recipe.reason.contains(
                "\(layers == 1 ? "one layer" : "\(layers) layers") of width \(recipe.configuration.model.hiddenSize)"))
    }

    @Test(arguments: [0.01, 1, 60, 600, 86_400, 9e8]) func memoryIsChosenOnRequest(seconds: Double) throws {
        let recipe = try AutomaticRecipe(seconds: seconds, textBytes: 1 << 27, machine: Self.machine, hasMemory: true)
        try recipe.configuration.validate()
        #expect(recipe.configuration.model.modelType == "minke" && recipe.configuration.model.extensions.hasTables)
        #expect(recipe.reason.contains("tables of"))
    }

    @Test func aTextIsNotReadForEver() throws {
        let (little, plenty) = try (
            AutomaticRecipe(seconds: 3600, textBytes: 1 << 20, machine: Self.machine).configuration,
            AutomaticRecipe(seconds: 3600, textBytes: 1 << 32, machine: Self.machine).configuration
        )
        #expect(little.steps * little.tokensPerStep < plenty.steps * plenty.tokensPerStep)
    }

    @Test func theMachineDecides() throws {
        let fast = AutomaticRecipe.Machine(float32: 1e11, bfloat16: 2.2e11, memoryBytes: 16 << 30)
        for (machine, precision) in [(Self.machine, RunConfiguration.Precision.float32), (fast, .bfloat16)] {
            let recipe = try AutomaticRecipe(seconds: 60, textBytes: 1 << 26, machine: machine)
            #expect(recipe.configuration.precision == precision)
        }
        // A peak far beyond that of what surrounds products buys no larger run.
        let steps = try [2.5e11, 14e11].map { peak in
            let machine = AutomaticRecipe.Machine(float32: 1e11, bfloat16: peak, memoryBytes: 16 << 30)
            return try AutomaticRecipe(seconds: 60, textBytes: 1 << 26, machine: machine).configuration.steps
        }
        #expect(steps[0] == steps[1])
        let small = AutomaticRecipe.Machine(float32: 1e11, bfloat16: 1e11, memoryBytes: 64 << 20)
        let run = try AutomaticRecipe(seconds: 1e6, textBytes: 1 << 32, machine: small).configuration
        #expect(run.model.numHiddenLayers < 8)
    }

    @Test func aGivenDepthIsKept() throws {
        let recipe = try AutomaticRecipe(seconds: 60, textBytes: 1 << 26, machine: Self.machine, depth: 5)
        #expect(recipe.configuration.model.numHiddenLayers == 5 && recipe.reason.contains("depth as given"))
    }

    @Test func impossibleTimesAreRefused() {
        for seconds in [0, -1, Double.nan, .infinity] {
            #expect(throws: InputError.self) {
                try AutomaticRecipe(seconds: seconds, textBytes: 1000, machine: Self.machine)
            }
        }
    }
}
