/** Off the page's thread: the cost model itself prices steps here, and files are read. */
import { layMemory } from "../../../../device/trainium/memory.ts";
import { CostModel } from "../../../../device/trainium/price/cost-model.ts";
import { trustOf } from "../../../../device/trainium/price/trust.ts";
import { recommendations } from "../../../../device/trainium/profile/advice.ts";
import { rankName } from "../../../../device/trainium/profile/spans.ts";
import { profileSteps } from "../../../../device/trainium/profile/steps.ts";
import { planFor } from "../../../../device/trainium/settings.ts";
import { trustText } from "../../../../device/trust.ts";
import { declaredModel } from "../../../../models/declared.ts";
import { catalogConfig } from "./catalog.ts";
import { readChromeTrace } from "./chrome-trace.ts";
import { ColumnBuilder } from "./columns.ts";
import type { Profile, ProfileSpec, WorkerAnswer, WorkerTask } from "./profile.ts";

const LANES = ["tensor", "vector", "scalar", "gpsimd", "dma", "cc", "host"];

addEventListener("message", ({ data }: MessageEvent<WorkerTask>) => {
  const answer = (message: WorkerAnswer): void => postMessage(message);
  work(data).then(
    (profile) => answer({ kind: "done", id: data.id, profile }),
    (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      answer({ kind: "failed", id: data.id, reason });
    },
  );
});

async function work(task: WorkerTask): Promise<Profile> {
  if (task.kind === "profile") return price(task.spec);
  return readChromeTrace(new TextDecoder().decode(task.text), task.name);
}

async function price(spec: ProfileSpec): Promise<Profile> {
  const model = declaredModel(await catalogConfig(spec.model), spec.model);
  const plan = planFor({
    model,
    tensorParallel: spec.tensorParallel,
    maxRows: Math.max(32, spec.rows),
    maxContext: Math.max(8192, spec.context + spec.steps, spec.prompt),
    ...(spec.quantization !== "" && { quantization: spec.quantization }),
    own: {
      instance: spec.instance,
      ...(spec.kernels !== "" && { "neuron-kernels": spec.kernels }),
    },
  });
  const { rows, context, steps, prompt } = spec;
  const { totals, duration, ...profiled } = profileSteps(plan, new CostModel(plan), {
    rows,
    context,
    steps,
    ...(prompt > 0 && { prompt }),
  });
  const builder = new ColumnBuilder();
  for (const [index, { start, duration, parts, spans }] of profiled.steps.entries()) {
    builder.add("engine", "steps", { start, duration, name: `step ${index}`, args: parts });
    for (const span of spans) {
      builder.add(rankName(plan), span.lane, { ...span, start: start + span.start });
    }
  }
  const { weights, runtime, kv, capacity } = layMemory(plan);
  const title = `${spec.model} on ${plan.instance.name}`;
  return {
    title,
    note: `Simulated: one rank of ${plan.tensorParallel}, LNC ${plan.logicalCore}, ${plan.stack.name}, kernels ${[...plan.kernels].join(", ") || "plain"}; 80 % bands: ${trustText(trustOf(plan))}.`,
    duration,
    spans: builder.columns(),
    totals: {
      parts: totals.parts,
      engines: Object.fromEntries(LANES.map((lane) => [lane, totals.active(lane)])),
      ops: [...totals.ops.values()].sort((a, b) => b.nanos - a.nanos),
      collectives: [...totals.collectives.values()].sort((a, b) => b.nanos - a.nanos),
      fields: totals.fields(title),
      advice: recommendations(plan, totals),
      memory: { weights, runtime, kv, free: Math.max(0, capacity - weights - runtime - kv) },
    },
  };
}
