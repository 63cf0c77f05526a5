import Minke

extension ExpertStatistics {
    /// A few words for people.
    var text: String {
        "\(HumanFormat.percent(hitRate)) of \(HumanFormat.grouped(requests)) experts in memory, "
            + "\(HumanFormat.bytes(bytesRead)) read in \(HumanFormat.duration(readSeconds))"
    }
}
