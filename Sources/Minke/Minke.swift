@_exported import MinkeTraining
