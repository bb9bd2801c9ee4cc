// Package echo is a model that does nothing but say what it received: it
// answers an OpenAI chat completion with the last message of the request, and
// adds the whole request as it arrived. It shows what a policy does to a
// request on its way.
package echo

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// maxBody bounds what is read of a request, in bytes.
const maxBody = 32 << 20

// Received is the request as the model saw it: the field "received" of every
// answer.
type Received struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"` // lower-case names; several values are joined by ", "
	Body    string            `json:"body"`
}

// completion is a chat completion object of the OpenAI API with an addition.
type completion struct {
	ID       string   `json:"id"`
	Object   string   `json:"object"`
	Model    string   `json:"model"`
	Choices  []choice `json:"choices"`
	Usage    usage    `json:"usage"`
	Received Received `json:"received"`
}

type choice struct {
	Index        int     `json:"index"`
	Message      message `json:"message"`
	FinishReason string  `json:"finish_reason"`
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// usage counts words: this model has no tokens.
type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// Handler answers every request.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, `{"error":{"message":"the body could not be read","type":"invalid_request_error","param":null,"code":null}}`, http.StatusBadRequest)
			return
		}
		w.Header().Set("content-type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(answer(r, body)) // a client that has gone needs no answer
	})
}

func answer(r *http.Request, body []byte) completion {
	said := lastMessage(body)
	words := len(strings.Fields(said))
	return completion{
		ID:      "echo",
		Object:  "chat.completion",
		Model:   "echo",
		Choices: []choice{{Message: message{Role: "assistant", Content: said}, FinishReason: "stop"}},
		Usage:   usage{Prompt: words, Completion: words, Total: 2 * words},
		Received: Received{
			Method: r.Method, Path: r.URL.RequestURI(), Headers: headers(r), Body: string(body),
		},
	}
}

// lastMessage is the text of the last message; the body itself when it has
// none.
func lastMessage(body []byte) string {
	var request struct {
		Messages []message `json:"messages"`
	}
	if json.Unmarshal(body, &request) != nil || len(request.Messages) == 0 {
		return string(body)
	}
	return request.Messages[len(request.Messages)-1].Content
}

func headers(r *http.Request) map[string]string {
	all := make(map[string]string, len(r.Header)+1)
	for name, values := range r.Header {
		all[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	all["host"] = r.Host
	return all
}
