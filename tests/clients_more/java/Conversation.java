// Anthropic's client for Java against the server at QUIRE_URL: models, a message whole and streamed,
// a count of tokens, and a mistake as an error of the client's.

import com.anthropic.client.AnthropicClient;
import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.core.JsonValue;
import com.anthropic.core.http.StreamResponse;
import com.anthropic.errors.NotFoundException;
import com.anthropic.models.messages.Message;
import com.anthropic.models.messages.MessageCountTokensParams;
import com.anthropic.models.messages.MessageCreateParams;
import com.anthropic.models.messages.RawMessageStreamEvent;

public class Conversation {
  static final String QUESTION = "What is the capital of France?";

  static void check(boolean isGood, String what) {
    System.out.println((isGood ? "PASS " : "FAIL ") + what);
    if (!isGood) System.exit(1);
  }

  static MessageCreateParams ask(String model) {
    return MessageCreateParams.builder()
        .model(model).maxTokens(24).addUserMessage(QUESTION)
        .putAdditionalBodyProperty("temperature", JsonValue.from(0)).build();
  }

  static String textOf(Message message) {
    StringBuilder text = new StringBuilder();
    message.content().forEach(block -> block.text().ifPresent(part -> text.append(part.text())));
    return text.toString();
  }

  public static void main(String[] arguments) {
    AnthropicClient client = AnthropicOkHttpClient.builder()
        .baseUrl(System.getenv("QUIRE_URL")).apiKey("none").maxRetries(0).build();

    String model = client.models().list().data().get(0).id();
    check(!model.isEmpty(), "models are listed: " + model);

    Message whole = client.messages().create(ask(model));
    String said = textOf(whole);
    check(said.contains("Paris"), "a message names Paris");

    StringBuilder streamed = new StringBuilder();
    try (StreamResponse<RawMessageStreamEvent> events =
             client.messages().createStreaming(ask(model))) {
      events.stream().forEach(event -> event.contentBlockDelta().ifPresent(
          delta -> delta.delta().text().ifPresent(text -> streamed.append(text.text()))));
    }
    check(streamed.toString().equals(said), "a stream says the same");

    long counted = client.messages().countTokens(MessageCountTokensParams.builder()
        .model(model).addUserMessage(QUESTION).build()).inputTokens();
    long used = whole.usage().inputTokens() + whole.usage().cacheReadInputTokens().orElse(0L) +
        whole.usage().cacheCreationInputTokens().orElse(0L);
    check(counted == used, "tokens are counted: " + counted);

    boolean isRefused = false;
    try {
      client.messages().create(ask("nobody"));
    } catch (NotFoundException refused) {
      isRefused = true;
    }
    check(isRefused, "a mistake is an error of the client");
    System.exit(0);
  }
}
