/** A short run of scripts/maintain/fuzz/main.ts: no 5xx, no hang, and structured output still works. */
import { pino } from "pino";
import { expect, it } from "vitest";
import { fuzz } from "../../scripts/maintain/fuzz/main.ts";
import { randomOf } from "../../scripts/maintain/fuzz/values.ts";
import { parseSettings } from "../../server/config.ts";
import { serve } from "../../server/main.ts";

it("answers 400 random and hostile requests without a fault", async () => {
  const flags = ["--port", "0", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"];
  const { settings } = parseSettings(["models/tiny/llama", "--device", "cpu", ...flags]);
  const server = await serve(settings, pino({ level: "silent" }));
  try {
    const report = await fuzz(server, 400, randomOf(2026));
    expect(report.faults).toEqual([]);
    // Both kinds were met: served and refused.
    expect(report.statuses.get(200)).toBeGreaterThan(0);
    expect(report.statuses.get(400)).toBeGreaterThan(0);
  } finally {
    await server.stop(0);
  }
});
