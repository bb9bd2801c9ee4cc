// Package plugin is the thin shell between Envoy and the policy engine: it turns
// proxy-wasm callbacks into calls of engine.Stream and its verdicts into host
// calls. It alone imports the proxy-wasm SDK, and of that only the registration
// and dispatch of contexts.
//
// Every host call is declared here, because the SDK's allocate: results arrive in
// blocks that are used again, so that a request allocates nothing once the
// pools are warm. A malformed answer of the host or a full pool ends in a local
// reply, never in a trap: one trap costs every stream of an Envoy worker.
package plugin
