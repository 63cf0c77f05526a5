/// The version of both programs; CHANGELOG.md names the same.
package enum ProgramVersion {
    package static let text = "0.1.0"
}
