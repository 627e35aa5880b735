// OpenAI's client for Go against the server at QUIRE_URL: models, a chat whole and streamed, a
// response, embeddings where there is a model for them, and a mistake as an error of the client's.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

const question = "What is the capital of France?"

func check(isGood bool, what string) {
	if !isGood {
		log.Fatalf("FAIL %s", what)
	}
	log.Printf("PASS %s", what)
}

func must(err error, what string) {
	if err != nil {
		log.Fatalf("FAIL %s: %v", what, err)
	}
}

func chat(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:       model,
		Messages:    []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
		Temperature: openai.Float(0),
		MaxTokens:   openai.Int(24),
	}
}

func main() {
	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	ctx := context.Background()
	client := openai.NewClient(option.WithBaseURL(os.Getenv("QUIRE_URL")+"/v1/"),
		option.WithAPIKey("none"), option.WithMaxRetries(0))

	models, err := client.Models.List(ctx)
	must(err, "models")
	model := models.Data[0].ID
	check(model != "", "models are listed: "+model)

	whole, err := client.Chat.Completions.New(ctx, chat(model))
	must(err, "a chat")
	said := whole.Choices[0].Message.Content
	check(strings.Contains(said, "Paris"), "a chat names Paris")

	stream := client.Chat.Completions.NewStreaming(ctx, chat(model))
	gathered := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		gathered.AddChunk(stream.Current())
	}
	must(stream.Err(), "a stream")
	check(gathered.Choices[0].Message.Content == said, "a stream says the same")

	answer, err := client.Responses.New(ctx, responses.ResponseNewParams{
		Model:           model,
		Input:           responses.ResponseNewParamsInputUnion{OfString: openai.String(question)},
		Temperature:     openai.Float(0),
		MaxOutputTokens: openai.Int(24),
	})
	must(err, "a response")
	check(answer.OutputText() == said, "a response says the same")

	events := client.Responses.NewStreaming(ctx, responses.ResponseNewParams{
		Model:           model,
		Input:           responses.ResponseNewParamsInputUnion{OfString: openai.String(question)},
		Temperature:     openai.Float(0),
		MaxOutputTokens: openai.Int(24),
	})
	streamed := ""
	for events.Next() {
		if events.Current().Type == "response.output_text.delta" {
			streamed += events.Current().Delta
		}
	}
	must(events.Err(), "a stream of a response")
	check(streamed == said, "a response's stream says the same")

	vectors, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
		Model: "minilm",
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
	})
	must(err, "embeddings")
	check(len(vectors.Data) == 2 && len(vectors.Data[0].Embedding) == 384, "embeddings")

	_, err = client.Chat.Completions.New(ctx, chat("nobody"))
	var refused *openai.Error
	check(errors.As(err, &refused) && refused.StatusCode == 404 &&
		refused.Code == "model_not_found", "a mistake is an error of the client")
}
