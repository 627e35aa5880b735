// Server-sent events from a fetched body. EventSource cannot send an Authorization header, so the
// stream is read and cut here.

const EVENT_SIZE_MAX = 4 * 1024 * 1024; // characters; a server that sends more is not ours

// Takes text as it arrives, in any pieces, and gives the data of the events that are complete.
export class SseParser {
  private rest = "";
  private data: string[] = [];

  push(text: string): string[] {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    if (this.rest.length > EVENT_SIZE_MAX) throw new Error("An event of the stream is too long.");
    const events: string[] = [];
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) events.push(this.data.join("\n"));
        this.data = [];
      } else if (line.startsWith("data:")) {
        this.data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
    return events;
  }
}

// The data of each event of `body`, until it ends.
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const parser = new SseParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
