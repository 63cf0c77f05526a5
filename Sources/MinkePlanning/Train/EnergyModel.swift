import MinkeFiles

/// From device hours to kilowatt-hours.
public struct EnergyModel: Sendable {
    /// All that a device hour draws over the device's rated power: mean load, its share of the node, cooling.
    public var drawOverTDP = 0.93
    /// Facility over machine; 1 where ``drawOverTDP`` was measured with the facility in it.
    public var pue = 1.0
    /// Dollars per kilowatt-hour.
    public var tariff = 0.10

    public init() {}

    public static let source =
        "0.65 kWh per H100 hour (0.7 kW), all in: OLMo 3, 146 MWh in 234 K h and 681 MWh in 1.05 M h"

    func validate() throws {
        guard drawOverTDP > 0, drawOverTDP <= 10 else {
            throw InputError("--power-share must be above 0 and at most 10")
        }
        guard pue >= 1, pue <= 5 else { throw InputError("--pue must be 1 to 5") }
        guard tariff >= 0, tariff <= 1000 else { throw InputError("--tariff must be 0 to 1000 dollars per kWh") }
    }

    public func kilowattHours(hours: Double, tdpWatts: Double) -> Double { hours * tdpWatts / 1000 * drawOverTDP * pue }
}

/// What failures and safety copies cost (Young 1974, Daly 2006).
public struct ReliabilityModel: Sendable {
    /// Hours between unexpected failures of one device.
    public var deviceHoursBetweenFailures = 54.0 * 24 * 16_384 / 419
    /// Bytes a second that one device's share of the storage takes.
    public var saveRatePerDevice = 2.3e12 / 40 / 384
    /// Seconds from a failure until training goes on.
    public var restartSeconds = 600.0
    /// Weights in bfloat16, master weights and two moments in float32.
    public var checkpointBytesPerParameter = 14.0

    public init() {}

    public static let failureSource = "419 unexpected failures in 54 days of 16,384 H100 (Llama 3.1 405B)"
    public static let saveSource = "2.3 TB in 40 s from 384 A100 (BLOOM)"

    func validate() throws {
        for (name, value) in [
            ("--device-mtbf", deviceHoursBetweenFailures), ("--save-gbs", saveRatePerDevice),
            ("--checkpoint-bytes", checkpointBytesPerParameter),
        ] where !(value > 0 && value.isFinite) {
            throw InputError("\(name) must be a number above zero")
        }
        guard restartSeconds >= 0, restartSeconds.isFinite else {
            throw InputError("--restart-minutes must be a number that is not negative")
        }
    }

    public struct Outcome: Sendable {
        public let saveSeconds: Double
        /// Seconds between failures of the whole run.
        public let secondsBetweenFailures: Double
        /// √(2 · save · time between failures).
        public let interval: Double
        /// Share of the time that saving, lost work and restarts leave.
        public let goodput: Double
    }

    public func outcome(checkpointBytes: Double, devices: Double) -> Outcome {
        let save = checkpointBytes / (saveRatePerDevice * devices)
        let between = deviceHoursBetweenFailures * 3600 / devices
        let interval = (2 * save * between).squareRoot()
        let lost = save / interval + (interval / 2 + restartSeconds) / between
        return Outcome(
            saveSeconds: save, secondsBetweenFailures: between, interval: interval, goodput: max(0, 1 - lost))
    }
}
