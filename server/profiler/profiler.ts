/**
 * Records what the engines say between start and stop: steps, requests and, on a
 * simulated machine, the spans of each step. Nothing is written and no span made
 * before the end; while it records it keeps events, and costs nothing when off.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Nanos } from "../../device/clock.ts";
import type { SequenceId } from "../../device/device.ts";
import type { Machine, StepTotals } from "../../device/machine.ts";
import { ChromeTrace } from "../../device/trace.ts";
import type { Engine } from "../../engine/engine.ts";
import type { EngineEvent, StepFinished } from "../../engine/events.ts";
import type { ProfilerConfig } from "./config.ts";

/** Steps whose spans are written: about 2,000 spans each, and more open slowly. */
const DETAILED_STEPS = 64;

export interface ProfilerParts {
  readonly engines: readonly Engine[];
  readonly config: ProfilerConfig;
  readonly model: string;
  /** The simulated one; absent: there is none. */
  readonly machine?: Machine;
  /** Wall seconds that a simulated second takes. */
  readonly timeScale: number;
}

/** A request's way, in the engine's time. */
interface Track {
  readonly queued: Nanos;
  scheduled?: Nanos;
  first?: Nanos;
  finished?: Nanos;
  preempted: Nanos[];
  promptTokens: number;
  outputTokens: number;
}

interface Recording {
  readonly steps: StepFinished[];
  readonly tracks: Map<SequenceId, Track>;
}

export class Profiler {
  readonly #parts: ProfilerParts;
  #recordings: Recording[] = [];
  #leave: (() => void)[] = [];

  constructor(parts: ProfilerParts) {
    this.#parts = parts;
  }

  get active(): boolean {
    return this.#leave.length > 0;
  }

  /** Nothing while it records, as in vLLM. */
  start(): void {
    if (this.active) return;
    this.#recordings = this.#parts.engines.map(() => ({ steps: [], tracks: new Map() }));
    this.#leave = this.#parts.engines.map((engine, index) => {
      const { delaySteps, maxSteps } = this.#parts.config;
      let delay = delaySteps;
      return engine.subscribe((event) => {
        const recording = this.#recordings[index];
        if (recording === undefined || recording.steps.length >= maxSteps) return;
        if (event.type === "step-finished" && delay > 0) delay--;
        else record(recording, event, delay > 0);
      });
    });
  }

  /** Files written; none while it does not record. */
  async stop(): Promise<readonly string[]> {
    if (!this.active) return [];
    for (const leave of this.#leave) leave();
    this.#leave = [];
    const recordings = this.#recordings;
    this.#recordings = [];
    const { config, model, machine } = this.#parts;
    await mkdir(config.folder, { recursive: true });
    const path = join(config.folder, `trainyard.${Date.now()}`);
    const trace = new ChromeTrace();
    const totals = machine?.totals();
    for (const [index, recording] of recordings.entries()) {
      const name = recordings.length > 1 ? `engine ${index}` : "engine";
      await this.#steps(name, recording, { trace, totals });
      for (const [id, track] of recording.tracks) requestSpans(trace, name, { id, track });
    }
    const simulated = machine === undefined ? "false" : "true";
    const files = [`${path}.trace.json`];
    await writeFile(
      `${path}.trace.json`,
      trace.json({ profile_name: model, is_simulation: simulated }),
    );
    if (totals !== undefined) {
      files.push(`${path}.summary.json`);
      // As Neuron Explorer writes it: the fields of a graph under its name.
      const summary = { [model]: totals.fields(model) };
      await writeFile(`${path}.summary.json`, `${JSON.stringify(summary, null, 1)}\n`);
    }
    return files;
  }

  async #steps(
    name: string,
    { steps }: Recording,
    to: { readonly trace: ChromeTrace; readonly totals: StepTotals | undefined },
  ): Promise<void> {
    const { machine, timeScale } = this.#parts;
    let free = 0;
    for (const [index, step] of steps.entries()) {
      const start = step.at - step.duration;
      const args = { rows: step.rows, tokens: step.tokens, kv_usage: step.kvUsage };
      const span = { lane: "steps", name: `step ${step.step}`, start, duration: step.duration };
      to.trace.span(name, { ...span, args: { ...args, ...step.cost?.parts } });
      to.trace.mark(name, "steps", { name: span.name, at: start });
      if (step.cost === undefined || machine === undefined) continue;
      const spans = step.cost.spans();
      to.totals?.add(step.cost, spans);
      // The device was free when the step before ended there, however late the host saw it.
      const began = Math.max(start, free);
      free = began + step.cost.duration * timeScale;
      if (index < DETAILED_STEPS) {
        for (const each of spans) {
          const scaled = {
            ...each,
            start: each.start * timeScale,
            duration: each.duration * timeScale,
          };
          to.trace.span(`${name}: ${machine.rank}`, scaled, began);
        }
      }
      await new Promise((resolve) => setImmediate(resolve)); // streams go on meanwhile
    }
  }
}

function record({ steps, tracks }: Recording, event: EngineEvent, delayed: boolean): void {
  switch (event.type) {
    case "request-queued":
      tracks.set(event.id, {
        queued: event.at,
        preempted: [],
        promptTokens: event.promptTokens,
        outputTokens: 0,
      });
      return;
    case "step-finished":
      if (!delayed) steps.push(event);
      return;
  }
  const track = "id" in event ? tracks.get(event.id) : undefined;
  if (track === undefined) return; // it was under way before the start
  if (event.type === "request-scheduled") track.scheduled ??= event.at;
  if (event.type === "tokens-emitted") track.first ??= event.at;
  if (event.type === "request-preempted") track.preempted.push(event.at);
  if (event.type === "request-finished") {
    track.finished = event.at;
    track.outputTokens = event.outputTokens;
  }
}

/** Queue, prompt and decode of a request in a row of their own, a mark at its first token. */
function requestSpans(
  trace: ChromeTrace,
  process: string,
  { id, track }: { readonly id: SequenceId; readonly track: Track },
): void {
  const { queued, scheduled, first, finished } = track;
  const row = (name: string, from: Nanos | undefined, to: Nanos | undefined): void => {
    if (from === undefined || to === undefined) return;
    trace.overlapping(process, { lane: "requests", name, start: from, duration: to - from }, id);
  };
  const args = { prompt_tokens: track.promptTokens, output_tokens: track.outputTokens };
  if (finished !== undefined) {
    const span = { lane: "requests", name: `request ${id}`, start: queued, args };
    trace.overlapping(process, { ...span, duration: finished - queued }, id);
  }
  row("queue", queued, scheduled);
  row("prompt", scheduled, first);
  row("decode", first, finished);
  const mark = (name: string, at: Nanos) =>
    trace.mark(process, "requests", { name: `request ${id}: ${name}`, at });
  if (first !== undefined) mark("first token", first);
  for (const at of track.preempted) mark("preempted", at);
}
