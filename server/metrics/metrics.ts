/** All series of this server: engines, HTTP, the process, the curve, and what is wrong with a load. */
import type { Nanos } from "../../device/clock.ts";
import type { Engine } from "../../engine/engine.ts";
import type { GenerationRequest } from "../../engine/sequence.ts";
import type { Handle } from "../engines.ts";
import { type AdapterUse, adapterSeries } from "./adapter-metrics.ts";
import { Curve, type CurvePoint } from "./curve.ts";
import { EngineMetrics } from "./engine-metrics.ts";
import type { EngineMetricsOptions } from "./engine-series.ts";
import { Families, openMetrics } from "./families.ts";
import { FrontendMetrics } from "./frontend-metrics.ts";
import { HttpMetrics } from "./http-metrics.ts";
import { CODES, type LoadReport, LoadWatch } from "./load-watch.ts";
import { type MachineFacts, MachineMetrics } from "./machine-metrics.ts";
import { NeuronMetrics } from "./neuron-metrics.ts";
import { addProcessSeries } from "./process-metrics.ts";

export interface MetricsOptions extends Omit<EngineMetricsOptions, "index"> {
  /** Of the first engine; the label `engine` counts up from it. */
  readonly firstRank: number;
  /** False: `--disable-log-stats`, only HTTP and process series. */
  readonly engineSeries: boolean;
  /** Is there a `--tool-call-parser`? */
  readonly parsesTools: boolean;
  /** Absent: adapters are not served. */
  readonly adapters?: AdapterUse;
  /** Of a simulated machine; absent: there is none. */
  readonly machine?: MachineFacts;
  readonly now: () => Nanos;
  /** Wall seconds that a simulated second takes. */
  readonly timeScale: number;
}

export class Metrics {
  readonly families = new Families();
  readonly http: HttpMetrics;
  readonly frontend: FrontendMetrics;
  readonly load: LoadWatch;
  readonly #engines: readonly EngineMetrics[];
  readonly #curves: readonly Curve[];

  constructor(engines: readonly Engine[], options: MetricsOptions) {
    addProcessSeries(this.families.registry);
    this.http = new HttpMetrics(this.families);
    this.frontend = new FrontendMetrics(this.families, options);
    this.load = new LoadWatch(engines.length, options.maxModelLen);
    engines.forEach((engine, index) => {
      engine.subscribe((event) => this.load.receive(index, event));
    });
    if (!options.engineSeries) {
      this.#engines = [];
      this.#curves = [];
      return;
    }
    this.#engines = engines.map(
      (engine, index) =>
        new EngineMetrics(this.families, engine, { ...options, index: options.firstRank + index }),
    );
    const labels = engines.map((_, index) => ({
      model_name: options.modelName,
      engine: String(options.firstRank + index),
    }));
    this.#curves = labels.map((one) => new Curve(this.families, one));
    this.#noticeSeries(options.modelName);
    if (options.adapters !== undefined) adapterSeries(this.families, options.adapters);
    const neuron = labels.map((one) => new NeuronMetrics(this.families, one, options.timeScale));
    const { machine: facts, now, modelName, timeScale } = options;
    const machine =
      facts && new MachineMetrics(this.families, facts, { now, modelName, timeScale });
    engines.forEach((engine, index) => {
      engine.subscribe((event) => {
        this.#engines[index]?.receive(event);
        this.#curves[index]?.receive(event);
        machine?.receive(event);
        if (event.type === "step-finished") neuron[index]?.step(event);
      });
    });
  }

  /** Of the HTTP side: what events do not carry. */
  submitted(
    engine: number,
    request: GenerationRequest,
    handles: readonly Handle[],
    from: number,
  ): void {
    const ids = handles.map(({ id }) => id);
    this.#engines[engine]?.submitted(request, ids, from);
    this.load.submitted(engine, request, ids, from);
  }

  /** Of the last `/sleep`; −1: awake. */
  slept(level: number): void {
    for (const engine of this.#engines) engine.sleepLevel = level;
  }

  /** The curve of each engine. */
  curve(): readonly (readonly CurvePoint[])[] {
    return this.#curves.map((curve) => curve.points());
  }

  #noticeSeries(modelName: string): void {
    let report: LoadReport | undefined;
    for (const code of CODES) {
      this.families.gauge(
        "trainyard:load_notice",
        "1: the load under way, or the last one, has what falsifies benchmarks (GET /hygiene).",
        { model_name: modelName, code },
        () => {
          if (code === CODES[0]) report = this.load.noticed(); // one for all gauges of a scrape
          return report?.notices.some((notice) => notice.code === code) ? 1 : 0;
        },
      );
    }
  }

  /** Prometheus text. */
  text(): Promise<string> {
    return this.families.text();
  }

  /** OpenMetrics 1.0: a counter's family without `_total`, no series of when one was made, an end. */
  async openMetrics(): Promise<string> {
    return openMetrics(await this.text());
  }
}
