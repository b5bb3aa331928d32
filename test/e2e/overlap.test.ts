/** Two steps in flight change no id, on the cpu device and on the simulated one. */
import { expect, it } from "vitest";
import { compareOverlap } from "../../scripts/maintain/proofs/overlap.ts";
import { startServer } from "../support/server.ts";

const plan = { streams: 6, maxTokens: 24, rounds: 1 };

it.each([
  { name: "cpu", argv: ["models/tiny/llama", "--device", "cpu"] },
  { name: "cpu, two ranks", argv: ["models/tiny/llama", "--device", "cpu", "-tp", "2"] },
  {
    name: "trainium, synthetic ids",
    argv: ["meta-llama/Llama-3.2-1B-Instruct", "--device", "trainium", "--values", "synthetic"],
  },
  {
    name: "trainium, borrowed words",
    argv: [
      "meta-llama/Llama-3.2-1B-Instruct",
      "--device",
      "trainium",
      "--values",
      "models/tiny/llama",
    ],
  },
])("ids are the same with and without: $name", async ({ name, argv }) => {
  const figures = await compareOverlap({ ...plan, argv });
  expect(figures.inFlight).toEqual([2, 1]);
  expect(figures.sameIds).toBe(true);
  if (!name.startsWith("trainium")) return;
  const [withIt, without] = figures.priced ?? [];
  // Launched ahead, a step does not wait for the host; without, each does.
  expect(without?.waited).toBe(1);
  expect(withIt?.waited).toBeLessThan(0.6);
  expect(withIt?.stepMs).toBeLessThan(without?.stepMs ?? 0);
});

it("a stack without asynchronous steps has one step in flight", async () => {
  const server = await startServer([
    "meta-llama/Llama-3.2-1B-Instruct",
    ...["--device", "trainium", "--values", "synthetic", "--serving-stack", "optimum"],
  ]);
  expect(server.world.device.limits.inFlight).toBe(1);
  await server.stop(0);
});
