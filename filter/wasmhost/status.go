package wasmhost

// Status is the result of a host call (proxy_status_t of the ABI).
type Status uint32

// Results of host calls.
const (
	StatusOK                  Status = 0
	StatusNotFound            Status = 1
	StatusBadArgument         Status = 2
	StatusInvalidMemoryAccess Status = 6
	StatusCasMismatch         Status = 8
)

// Action is what a callback returned (proxy_action_t), widened by the two
// values of Envoy's FilterDataStatus that the ABI leaves unnamed.
type Action uint32

// Return values of callbacks.
const (
	// Continue lets the stream go on.
	Continue Action = 0
	// Pause is StopIteration for headers and trailers, StopIterationAndBuffer for bodies.
	Pause Action = 1
	// PauseWatermark is StopIterationAndWatermark for bodies.
	PauseWatermark Action = 2
	// PauseNoBuffer is StopIterationNoBuffer for bodies: Envoy drops what is left of the chunk.
	PauseNoBuffer Action = 3
)

// Level is the severity of a log line (proxy_log_level_t).
type Level uint32

// Log levels.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
	LevelCritical
)

// bufferType names a buffer of the host (proxy_buffer_type_t).
type bufferType uint32

const (
	bufferRequestBody  bufferType = 0
	bufferResponseBody bufferType = 1
	bufferVMConfig     bufferType = 6
	bufferCallBody     bufferType = 4
	bufferPluginConfig bufferType = 7
)

// mapType names a header map of the host (proxy_map_type_t).
type mapType uint32

const (
	mapRequestHeaders   mapType = 0
	mapRequestTrailers  mapType = 1
	mapResponseHeaders  mapType = 2
	mapResponseTrailers mapType = 3
)
