/**
 * A priced step as spans of one rank. The lane `model` nests; every other lane
 * holds spans one after another:
 *
 *     model    [ decode_8x4096 ........................................ ]
 *              [ layers.0 ............................ ][ layers.1 ...
 *              [ self_attn ............ ][ residual ][ mlp ...
 *              [ qkv ... ][ attention . ][ add ]
 *     dma        [ weights ][ kv ]
 *     tensor     [ matmul  ]
 *     cc                         [ all-reduce ]
 *     host                                                              [ host ]
 *
 * Within a call come its regions (launch), then DMA and engines, which end
 * together or, where a kernel does not overlap them, one after the other.
 */
import type { Nanos } from "../../clock.ts";
import type { Span, SpanArgs } from "../../trace.ts";
import type { Engine } from "../chips/chip.ts";
import { type StepShape, siteOf, tensorRate } from "../kernels/kernel.ts";
import type { Plan } from "../plan.ts";
import { moduleOf } from "../roles.ts";
import { flopsByPath, stepFlops } from "./flops.ts";
import type { GraphRun, Part, Parts, TimedCall } from "./receipt.ts";

/** As the plug-in labels its graphs. */
export function graphName({ phase, rows, queries, context }: StepShape): string {
  return phase === "prefill" ? `prefill_${queries}` : `decode_${rows}x${context}`;
}

/** Spans of a step of `duration` whose host work, sampling included, takes `parts`' share at the end. */
export function stepSpans(
  plan: Plan,
  runs: readonly GraphRun[],
  step: { readonly parts: Parts; readonly duration: Nanos },
): readonly Span[] {
  const timeline = new Timeline(step.duration);
  for (const run of runs) graphSpans(timeline, plan, run);
  for (const part of ["sampling", "host"] as const) {
    const nanos = step.parts[part] ?? 0;
    if (nanos > 0) timeline.span("host", part, nanos);
    timeline.at += nanos;
  }
  return timeline.spans;
}

function graphSpans(timeline: Timeline, plan: Plan, { graph, live }: GraphRun): void {
  const { shape } = graph;
  const root = {
    phase: shape.phase,
    rows: shape.rows,
    queries: shape.queries,
    context: shape.context,
    live_rows: live.rows,
    model_flops: stepFlops(plan.architecture, live, "model") / plan.tensorParallel,
    hardware_flops: stepFlops(plan.architecture, shape, "compiled") / plan.tensorParallel,
  };
  const site = siteOf(plan, shape);
  const flopsPerCycle = {
    dense: 2 * 128 * 128 * tensorRate(site, plan.formats.dense),
    experts: 2 * 128 * 128 * tensorRate(site, plan.formats.experts),
  };
  const wanted = flopsByPath(plan.architecture, live);
  const call = (timed: TimedCall): void => {
    const { role, path, collective } = timed.call;
    callSpans(timeline, timed, {
      perCycle: flopsPerCycle[role === "experts" ? "experts" : "dense"],
      wanted: collective === undefined ? (wanted.get(path) ?? 0) / plan.tensorParallel : 0,
    });
  };
  const layers = new Map<number, readonly TimedCall[]>();
  for (const { group, calls } of graph.layers) {
    for (const index of group.indices) layers.set(index, calls);
  }
  timeline.nest(graphName(shape), root, () => {
    byModule(timeline, graph.prologue, call);
    for (let layer = 0; layer < layers.size; layer++) {
      timeline.nest(`layers.${layer}`, undefined, () =>
        byModule(timeline, layers.get(layer) ?? [], call),
      );
    }
    byModule(timeline, graph.epilogue, call);
  });
}

/** Calls that follow each other in one module stand under it. */
function byModule(
  timeline: Timeline,
  calls: readonly TimedCall[],
  each: (call: TimedCall) => void,
): void {
  for (let from = 0; from < calls.length; ) {
    const module = moduleAt(calls, from);
    let to = from + 1;
    while (to < calls.length && moduleAt(calls, to) === module) to++;
    timeline.nest(module, undefined, () => {
      for (const call of calls.slice(from, to)) each(call);
    });
    from = to;
  }
}

function moduleAt(calls: readonly TimedCall[], index: number): string {
  return moduleOf(calls[index]?.call.role ?? "residual");
}

/** `perCycle`: what the array can do; `wanted`: what the model asks of this rank. */
function callSpans(
  timeline: Timeline,
  timed: TimedCall,
  flops: { readonly perCycle: number; readonly wanted: number },
): void {
  const { call, nanos, parts, busy } = timed;
  const { collective, work } = call;
  const moved: Record<string, number> = {};
  let bytes = collective?.bytes ?? 0;
  for (const move of work?.moves ?? []) {
    bytes += move.bytes;
    const key = `${move.cause}_bytes`;
    moved[key] = (moved[key] ?? 0) + move.bytes;
  }
  const cycles = work?.cycles.tensor ?? 0;
  const args: Record<string, string | number> = { op: call.path, kernel: call.kernel };
  const cause = dearest(parts);
  if (cause !== undefined) args["cause"] = cause;
  if (bytes > 0) args["bytes"] = Math.round(bytes);
  if (flops.wanted > 0) args["flops"] = Math.round(flops.wanted);
  for (const [part, its] of Object.entries(parts)) {
    if (its > 0) args[`${part}_ns`] = Math.round(its * 1000) / 1000;
  }
  timeline.nest(call.role, args, () => {
    if (collective !== undefined) {
      const { kind, ranks } = collective;
      timeline.span("cc", call.kernel, nanos, { operation: kind, bytes: Math.round(bytes), ranks });
    }
    if (busy.dma !== undefined && busy.dma >= 1) {
      const rounded = Object.entries(moved).map(([key, its]) => [key, Math.round(its)]);
      const what = { bytes: Math.round(bytes), ...Object.fromEntries(rounded) };
      timeline.span("dma", call.role, busy.dma, what, parts.launch);
    }
    const engines = (Object.entries(busy) as [Engine | "dma", number][]).filter(
      ([engine, its]) => engine !== "dma" && its >= 1,
    );
    const longest = Math.max(...engines.map(([, its]) => its));
    for (const [engine, its] of engines) {
      // The array's peak while it is busy: what the products need is the graph's `model_flops`.
      const what = engine === "tensor" ? { active_flops: cycles * flops.perCycle } : undefined;
      timeline.span(engine, call.kernel, its, what, nanos - longest);
    }
    timeline.at += nanos;
  });
}

/** The part that a call spends most time on. */
function dearest(parts: Parts): Part | undefined {
  let found: Part | undefined;
  for (const part of Object.keys(parts) as Part[]) {
    if ((parts[part] ?? 0) > (found === undefined ? 0 : (parts[found] ?? 0))) found = part;
  }
  return found;
}

/** Time goes on in exact ns and is rounded at the edges of spans, so that neighbours meet and nothing is lost. */
class Timeline {
  readonly spans: Span[] = [];
  at = 0;
  readonly #end: Nanos;

  constructor(end: Nanos) {
    this.#end = end;
  }

  /** A span that begins `after` from now; time does not go on. */
  span(lane: string, name: string, nanos: number, args?: SpanArgs, after = 0): void {
    const start = this.#edge(this.at + after);
    const duration = this.#edge(this.at + after + nanos) - start;
    this.spans.push({ lane, name, start, duration, ...(args !== undefined && { args }) });
  }

  /** A span of the lane `model` around all that `body` adds. */
  nest(name: string, args: SpanArgs | undefined, body: () => void): void {
    const start = this.#edge(this.at);
    const open = { lane: "model", name, start, duration: 0, ...(args !== undefined && { args }) };
    this.spans.push(open);
    body();
    open.duration = this.#edge(this.at) - start;
  }

  #edge(at: number): Nanos {
    return Math.min(Math.round(at), this.#end);
  }
}

/** The process of a rank's lanes: all ranks of a plan work alike, so one stands for them. */
export function rankName({ tensorParallel, instance }: Plan): string {
  const others = tensorParallel > 1 ? ` (1–${tensorParallel - 1} alike)` : "";
  return `${instance.name} NC 0${others}`;
}
