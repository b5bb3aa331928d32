/**
 * The simulated machine under neuron-monitor's names, and what tokens cost on it
 * now. Utilisation is since the last scrape: one Prometheus, one period.
 */
import { type Nanos, SECOND } from "../../device/clock.ts";
import type { Trust } from "../../device/trust.ts";
import type { EngineEvent } from "../../engine/events.ts";
import type { CounterSeries, Families, Labels } from "./families.ts";

/** What is known of the machine at the start. */
export interface MachineFacts {
  readonly instanceType: string;
  /** Logical cores that this server uses. */
  readonly cores: number;
  /** HBM in use on all of them. */
  readonly memoryBytes: number;
  readonly weightBytes: number;
  readonly chipsBilled: number;
  readonly chips: number;
  /** Of the whole instance; absent: nobody says. */
  readonly dollarsPerHour?: number;
  /** Of its simulated start. */
  readonly compileSeconds: number;
  readonly loadSeconds: number;
  readonly trust: Trust;
}

const PERCENTILES = [0, 1, 25, 50, 75, 99, 100] as const;
/** Steps whose latencies are kept for the percentiles. */
const KEPT = 1024;
/** Seconds over which the price of tokens is taken. */
const WINDOW = 60;

export class MachineMetrics {
  readonly #now: () => Nanos;
  readonly #facts: MachineFacts;
  /** Wall seconds that a simulated second takes. */
  readonly #timeScale: number;
  readonly #completed: CounterSeries;
  readonly #latencies: Nanos[] = [];
  #steps = 0;
  #busy: Nanos = 0;
  #scraped: { readonly at: Nanos; readonly busy: Nanos; readonly ratio: number };
  /** Output tokens by second, the last WINDOW of them. */
  readonly #tokens = new Map<number, number>();

  constructor(
    families: Families,
    facts: MachineFacts,
    options: { now: () => Nanos; modelName: string; timeScale: number },
  ) {
    const { now, modelName } = options;
    this.#now = now;
    this.#timeScale = options.timeScale;
    this.#facts = facts;
    this.#scraped = { at: now(), busy: 0, ratio: 0 };
    for (let core = 0; core < facts.cores; core++) {
      const labels = { neuroncore: String(core), instance_type: facts.instanceType };
      families.gauge("neuroncore_utilization_ratio", "Share of time a core was busy.", labels, () =>
        this.#utilization(),
      );
    }
    const gauge = (name: string, help: string, value: number, labels = {}) =>
      families.gauge(name, help, labels).set(value);
    gauge("neuron_runtime_memory_used_bytes", "Device memory in use.", facts.memoryBytes, {
      memory_location: "neuron_device",
    });
    gauge("instance_info", "The simulated instance.", 1, {
      instance_type: facts.instanceType,
      instance_name: "simulated",
    });
    const model = { model_name: modelName };
    const { compileSeconds, loadSeconds } = facts;
    const seconds = (name: string, help: string, value: number) =>
      gauge(`vllm_neuron:${name}_time_seconds`, `${help}, simulated.`, value, model);
    seconds("startup", "Compiling and loading", compileSeconds + loadSeconds);
    seconds("compilation", "Compiling the graphs that were not cached", compileSeconds);
    seconds("model_load", "Loading the model", loadSeconds);
    gauge("vllm_neuron:model_load_size_bytes", "Weights on the device.", facts.weightBytes, model);
    this.#completed = families.counter("execution_status", "Executions by outcome.", {
      status_type: "completed",
    });
    for (const percentile of PERCENTILES) {
      families.gauge(
        "execution_latency_seconds",
        "Latency of the last executions.",
        { percentile: `p${percentile}` },
        () => this.#latency(percentile),
      );
    }
    tellBands(families, facts.trust, model);
    if (facts.dollarsPerHour !== undefined) {
      const name = "trainyard:dollars_per_million_output_tokens";
      const help = "Price of output tokens at the rate of the last minute; 0 while there are none.";
      families.gauge(name, help, { ...model, billed: "instance" }, () => this.#price(1));
      const share = facts.chipsBilled / facts.chips;
      families.gauge(name, help, { ...model, billed: "chips" }, () => this.#price(share));
    }
  }

  receive(event: EngineEvent): void {
    if (event.type === "tokens-emitted") {
      const second = Math.floor(event.at / SECOND);
      this.#tokens.set(second, (this.#tokens.get(second) ?? 0) + event.tokens.length);
      if (this.#tokens.size > 2 * WINDOW) this.#forget(second);
    } else if (event.type === "step-finished" && event.cost !== undefined) {
      this.#busy += event.cost.duration * this.#timeScale;
      this.#completed.inc(event.repeated);
      this.#latencies[this.#steps++ % KEPT] = event.cost.duration;
    }
  }

  #utilization(): number {
    const at = this.#now();
    // All cores are read in one scrape and work in step: the first read decides.
    if (at - this.#scraped.at > SECOND / 10) {
      const ratio = Math.min(1, (this.#busy - this.#scraped.busy) / (at - this.#scraped.at));
      this.#scraped = { at, busy: this.#busy, ratio };
    }
    return this.#scraped.ratio;
  }

  #latency(percentile: number): number {
    if (this.#latencies.length === 0) return 0;
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    const index = Math.min(sorted.length - 1, Math.floor((percentile / 100) * sorted.length));
    return (sorted[index] ?? 0) / SECOND;
  }

  #price(share: number): number {
    const second = Math.floor(this.#now() / SECOND);
    this.#forget(second);
    let tokens = 0;
    for (const count of this.#tokens.values()) tokens += count;
    if (tokens === 0) return 0;
    const seconds = Math.min(WINDOW, Math.max(1, second));
    // The simulated machine is billed for its own time.
    const hours = seconds / this.#timeScale / 3600;
    const dollars = (this.#facts.dollarsPerHour ?? 0) * share * hours;
    return (dollars / tokens) * 1e6;
  }

  #forget(second: number): void {
    for (const known of this.#tokens.keys())
      if (known <= second - WINDOW) this.#tokens.delete(known);
  }
}

/** A series for each thing predicted: how far it lies from what was measured, and the band that follows. */
function tellBands(families: Families, trust: Trust, labels: Labels): void {
  const extrapolated = String(trust.extrapolated !== undefined);
  for (const predicted of ["decode", "prefill", "serving"] as const) {
    const { tier, factor } = trust[predicted];
    families
      .gauge(
        "trainyard:prediction_band_factor",
        "80 % band of what is simulated: the truth lies between time ÷ factor and time × factor.",
        { ...labels, predicted, tier, extrapolated },
      )
      .set(factor);
  }
}
