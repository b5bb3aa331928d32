/** One point of a system in virtual time: warm it up, load it, measure it. Needs nothing of Node's. */
import type { Notice } from "../../../server/metrics/hygiene.ts";
import { hygiene } from "../../load/hygiene.ts";
import type { Point } from "../../report/point.ts";
import { type SystemSpec, systemParts, type VirtualSystem } from "../../virtual/build.ts";
import { factsOf, type SystemFacts } from "../../virtual/facts.ts";
import { runVirtual, type VirtualRun } from "../../virtual/virtual.ts";
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

const extrapolation = (what: string): Notice => ({
  code: "extrapolated",
  text: `No published figure stands behind ${what}; the band is twice as wide.`,
});

/** Closes the system. */
export async function runPoint(
  system: VirtualSystem,
  workload: Workload,
  concurrency: number,
): Promise<MeasuredPoint> {
  const { spec } = system;
  try {
    const words = { ids: idRange(0, system.model.architecture.vocabSize) };
    const { warmups, requests } = pointRequests(workload, concurrency, words);
    await runVirtual(system, warmups, { concurrency, gaps: false });
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
        ...(Object.keys(run.steps.parts).length > 0 && {
          parts: partsOf(run, system.engines.length),
        }),
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

/** Seconds of steps by what they were spent on, and what of the engines' time was spent in none. */
function partsOf(
  { steps, duration }: VirtualRun,
  engines: number,
): Readonly<Record<string, number>> {
  return { ...steps.parts, idle: Math.max(0, duration * engines - steps.busy) };
}
