/** One point in virtual time: build the system, warm it up, load it, tear it down. */
import { loadModel } from "../../../models/load.ts";
import type { Model } from "../../../models/model.ts";
import type { Notice } from "../../../server/metrics/hygiene.ts";
import { hygiene } from "../../load/hygiene.ts";
import type { Point } from "../../report/point.ts";
import { factsOf, type SystemFacts } from "../../virtual/facts.ts";
import { buildSystem, type SystemSpec, systemParts } from "../../virtual/system.ts";
import { runVirtual } from "../../virtual/virtual.ts";
import { idRange } from "../../workload/request.ts";
import { pointRequests, type Workload } from "./protocol.ts";
import {
  firstErrorOf,
  type MeasuredPoint,
  metricsOf,
  resultOf,
  toPoint,
  workloadPart,
} from "./to-point.ts";

/** Models as loaded, by source: a sweep loads each once. */
export class ModelShelf {
  readonly #models = new Map<string, Promise<Model>>();

  get(source: string): Promise<Model> {
    let model = this.#models.get(source);
    if (model === undefined) {
      model = loadModel(source);
      this.#models.set(source, model);
    }
    return model;
  }
}

const extrapolation = (what: string): Notice => ({
  code: "extrapolated",
  text: `No published figure stands behind ${what}; the band is twice as wide.`,
});

export async function virtualPoint(
  spec: SystemSpec,
  workload: Workload,
  concurrency: number,
  shelf: ModelShelf,
): Promise<MeasuredPoint> {
  const system = await buildSystem(spec, { model: await shelf.get(spec.model) });
  try {
    const words = { ids: idRange(0, system.model.architecture.vocabSize) };
    const { warmups, requests } = pointRequests(workload, concurrency, words);
    await runVirtual(system, warmups, { concurrency });
    const run = await runVirtual(system, requests, { concurrency });
    const metrics = metricsOf(run.records, run.duration);
    const facts = factsOf(system);
    const noticed = hygiene({
      requests,
      records: run.records,
      concurrency,
      warmups: warmups.length,
      duration: run.duration,
    });
    const { extrapolated } = facts;
    const notices =
      extrapolated === undefined ? noticed : [...noticed, extrapolation(extrapolated)];
    const point: Point = toPoint(
      {
        identity: {
          ...systemParts({ ...spec, instance: facts.instance }),
          workload: workloadPart(workload),
        },
        framework: "trainyard",
        model: spec.model,
        simulated: true,
        instance: facts.instance,
        tensorParallel: spec.tensorParallel,
        dataParallel: spec.dataParallel,
        expertParallel: spec.expertParallel,
        kernels: spec.kernels,
        precision: facts.precision,
        speculation: spec.speculative ?? "none",
        chips: facts.chips,
        ...prefillOf(spec, facts),
        inputLen: workload.inputLen,
        outputLen: workload.outputLen,
        concurrency,
        requests: requests.length,
        warmups: warmups.length,
        seed: workload.seed,
        ...(facts.band === undefined ? {} : { band: facts.band }),
      },
      metrics,
      notices,
    );
    const result = resultOf(point, metrics, {
      backend: "trainyard-virtual",
      tokenizerId: point.model,
    });
    return { point, result, ...firstErrorOf(run.records) };
  } finally {
    await system.close();
  }
}

function prefillOf({ prefill }: SystemSpec, { prefillChips }: SystemFacts): Pick<Point, "prefill"> {
  if (prefill === undefined) return {};
  const { workers, tensorParallel, instance } = prefill;
  return { prefill: { workers, tensorParallel, instance, chips: prefillChips ?? 0 } };
}
