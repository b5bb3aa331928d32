/** From engine events to published batches: what one call of the engine changed is one batch. */
import type { Engine } from "../../engine/engine.ts";
import type { KvEventsConfig } from "./config.ts";
import { type KvEvent, KvEventEncoder, type WireOptions } from "./encode.ts";
import { KvEventPublisher } from "./publisher.ts";

export interface KvEventFeed {
  readonly publishers: readonly KvEventPublisher[];
  close(): Promise<void>;
}

export interface KvEventFeedOptions extends WireOptions {
  readonly config: KvEventsConfig;
  readonly warn?: (message: string) => void;
}

/** One publisher for each data-parallel rank; engines are made with `kvEvents`. Rejects as KvEventPublisher.open does. */
export async function publishKvEvents(
  ranks: readonly { readonly rank: number; readonly engine: Engine }[],
  options: KvEventFeedOptions,
): Promise<KvEventFeed> {
  const publishers: KvEventPublisher[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(publishers.map((publisher) => publisher.close()));
  };
  try {
    for (const { rank } of ranks) {
      publishers.push(await KvEventPublisher.open({ ...options, rank }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const stops = ranks.map(({ rank, engine }, index) => {
    const publisher = publishers[index];
    const encoder = new KvEventEncoder(options);
    let waiting: KvEvent[] = [];
    const publish = (): void => {
      const events = waiting;
      waiting = [];
      publisher?.publish(encoder.encode(Date.now() / 1000, events, rank));
    };
    return engine.subscribe((event) => {
      if (
        event.type !== "blocks-stored" &&
        event.type !== "blocks-removed" &&
        event.type !== "blocks-cleared"
      ) {
        return;
      }
      if (waiting.length === 0) queueMicrotask(publish);
      waiting.push(event);
    });
  });
  return {
    publishers,
    close: async () => {
      for (const stop of stops) stop();
      await close();
    },
  };
}
