/** GET /live (WebSocket): what the engines do, as JSON messages (live-feed.ts). */
import type { FastifyInstance } from "fastify";
import type { Metrics } from "../metrics/metrics.ts";
import type { Serving } from "../serving.ts";
import { LiveFeed, TICK_MS } from "./live-feed.ts";

export function liveRoute(app: FastifyInstance, serving: Serving, metrics: Metrics): void {
  const { all } = serving.engines;
  const feed = new LiveFeed({
    hello: {
      model: serving.names[0],
      device: serving.settings.device,
      engines: all.length,
      max_model_len: serving.maxModelLen,
      kv_block_size: serving.kvBlockSize,
      ...(serving.trust !== undefined && { trust: serving.trust }),
    },
    curve: () => metrics.curve(),
    blockKinds: (engine) => all[engine]?.blockKinds() ?? new Uint8Array(0),
    engines: all.length,
    now: () => serving.clock.now(),
    timeScale: serving.settings["time-scale"] ?? 1,
  });
  all.forEach((engine, index) => {
    engine.subscribe((event) => feed.receive(index, event));
  });
  let timer: NodeJS.Timeout | undefined;
  app.get("/live", { websocket: true }, (socket) => {
    feed.join(socket);
    timer ??= setInterval(() => feed.tick(), TICK_MS);
    socket.on("close", () => {
      feed.leave(socket);
      if (feed.watched) return;
      clearInterval(timer);
      timer = undefined;
    });
  });
  app.addHook("onClose", async () => clearInterval(timer));
}
