/** A job of the engine: the cost model itself prices steps here, and files are read. */
import { CostModel } from "../../../../device/trainium/price/cost-model.ts";
import { profileOf } from "../../../../device/trainium/profile/profile.ts";
import {
  type ReadProfile,
  readProfile,
  writeProfile,
} from "../../../../device/trainium/profile/read.ts";
import { planFor } from "../../../../device/trainium/settings.ts";
import { declaredModel } from "../../../../models/declared.ts";
import { catalogConfig } from "../catalog.ts";
import type {
  ProfileSpec,
  ShownProfile,
  WorkerAnswer,
  WorkerResults,
  WorkerTask,
} from "./profile.ts";

/** Profiles whose arguments are kept: the two of a comparison and those just left. */
const KEPT = 6;
const kept = new Map<number, ReadProfile>();
let next = 0;

export function profileJob(task: WorkerTask & { readonly id: number }): void {
  const { id } = task;
  const answer = (message: WorkerAnswer): void => postMessage(message);
  work(task, (progress) => answer({ id, progress })).then(
    (result) => answer({ id, result }),
    (error: unknown) => {
      answer({ id, failed: error instanceof Error ? error.message : String(error) });
    },
  );
}

async function work(
  task: WorkerTask,
  progress: (share: number) => void,
): Promise<WorkerResults[keyof WorkerResults]> {
  switch (task.kind) {
    case "price":
      return keep(price(task.spec));
    case "open":
      return keep(readProfile(new Uint8Array(task.bytes), task.name, progress));
    case "detail":
      return kept.get(task.key)?.args[task.detail];
    case "save": {
      const its = kept.get(task.key);
      if (its === undefined) throw new Error("That profile is no longer here.");
      return writeProfile(its);
    }
  }
}

function keep(its: ReadProfile): ShownProfile {
  const key = next++;
  kept.set(key, its);
  kept.delete(key - KEPT);
  const rates = ratesOf(its);
  return { ...its.profile, key, ...(rates !== undefined && { rates }) };
}

/** What each span of DMA moves a ns, where spans say so. */
function ratesOf({ profile: { spans }, args }: ReadProfile): Float32Array | undefined {
  const tracks = spans.tracks.filter(({ lane }) => lane === "dma");
  if (tracks.length === 0) return undefined;
  const rates = new Float32Array(spans.start.length);
  let said = false;
  for (const { from, to } of tracks) {
    for (let span = from; span < to; span++) {
      const bytes = args[spans.detail[span] ?? 0]?.["bytes"];
      const duration = spans.duration[span] ?? 0;
      if (typeof bytes !== "number" || duration <= 0) continue;
      rates[span] = bytes / duration;
      said = true;
    }
  }
  return said ? rates : undefined;
}

function price(spec: ProfileSpec): ReadProfile {
  const { rows, context, steps, prompt, stack, set, kernels } = spec;
  const model = declaredModel(catalogConfig(spec.model), spec.model);
  const plan = planFor({
    model,
    tensorParallel: spec.tensorParallel,
    maxRows: Math.max(32, rows),
    maxContext: Math.max(8192, context + steps, prompt),
    ...(spec.quantization !== "" && { quantization: spec.quantization }),
    own: {
      instance: spec.instance,
      ...(kernels !== "" && { "neuron-kernels": kernels }),
      ...(stack !== "" && { "serving-stack": stack }),
      ...(set !== "" && { set }),
    },
  });
  const shape = { rows, context, steps, ...(prompt > 0 && { prompt }) };
  return profileOf(new CostModel(plan), shape, {
    model: spec.model,
    settings: { model: spec.model },
  });
}
