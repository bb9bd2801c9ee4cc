package plugin

// appendDecimal appends n in decimal digits (strconv costs 53 KB of module).
func appendDecimal(b []byte, n uint64) []byte {
	var digits [20]byte
	at := len(digits)
	for {
		at--
		digits[at] = byte('0' + n%10)
		n /= 10
		if n == 0 {
			return append(b, digits[at:]...)
		}
	}
}

// brokeOff says whether response code details tell of an upstream that failed or was
// too slow, as in upstream_reset_after_response_started{protocol_error},
// response_timeout and upstream_per_try_idle_timeout.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/response_code_details
func brokeOff(details string) bool {
	const upstream, timeout = "upstream_", "timeout"
	if len(details) >= len(upstream) && details[:len(upstream)] == upstream {
		return true
	}
	for i := 0; i+len(timeout) <= len(details); i++ {
		if details[i:i+len(timeout)] == timeout {
			return true
		}
	}
	return false
}
