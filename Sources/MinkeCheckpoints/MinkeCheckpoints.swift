// Opened for building.
