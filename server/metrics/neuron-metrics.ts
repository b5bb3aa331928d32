/**
 * Series of the vLLM plug-in for Neuron, from the priced cost of each step, and
 * where a step's time goes. Present once a step had a price.
 */
import { type Nanos, SECOND } from "../../device/clock.ts";
import type { StepFinished } from "../../engine/events.ts";
import type { CounterSeries, Families, HistogramSeries, Labels } from "./families.ts";

/** Seconds by which a step ended after its priced deadline. */
const LATENESS = [
  0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5,
];
const PADDING = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];

/** By how much longer a step took than its price on the wall, ns; 0 without a price. */
export function latenessOf({ cost, duration }: StepFinished, timeScale: number): Nanos {
  return cost === undefined ? 0 : Math.max(0, duration - cost.duration * timeScale);
}

export class NeuronMetrics {
  readonly #families: Families;
  readonly #labels: Labels;
  readonly #timeScale: number;
  readonly #parts = new Map<string, CounterSeries>();
  /** Made with the first priced step. */
  #lateness: HistogramSeries | undefined;
  readonly #buckets = new Map<
    string,
    {
      readonly rows: HistogramSeries;
      readonly tokens: HistogramSeries;
      readonly runs: CounterSeries;
    }
  >();

  /** `timeScale`: wall seconds that a simulated second takes. */
  constructor(families: Families, labels: Labels, timeScale: number) {
    this.#families = families;
    this.#labels = labels;
    this.#timeScale = timeScale;
  }

  step(event: StepFinished): void {
    const { cost, rows, tokens } = event;
    if (cost === undefined) return;
    this.#lateness ??= this.#families.histogram("trainyard:step_lateness_seconds", {
      help: "How much longer a step took than its price: the host was late.",
      buckets: LATENESS,
      labels: this.#labels,
    });
    this.#lateness.observe(latenessOf(event, this.#timeScale) / SECOND);
    const kind = tokens > rows ? "context_encoding" : "token_generation";
    const name = `${kind}_${tokens + cost.paddedTokens}`;
    const bucket = this.#bucket(name);
    bucket.rows.observe(cost.paddedRows);
    bucket.tokens.observe(cost.paddedTokens);
    bucket.runs.inc();
    for (const [part, nanos] of Object.entries(cost.parts)) {
      let series = this.#parts.get(part);
      if (series === undefined) {
        series = this.#families.counter(
          "trainyard:step_seconds_by_cause",
          "Simulated seconds of steps, by what they were spent on.",
          { ...this.#labels, cause: part },
        );
        this.#parts.set(part, series);
      }
      series.inc(nanos / SECOND);
    }
  }

  #bucket(name: string) {
    const known = this.#buckets.get(name);
    if (known !== undefined) return known;
    const labels = { model_name: this.#labels["model_name"] ?? "", bucket_name: name };
    const bucket = {
      rows: this.#families.histogram("vllm_neuron:num_seqs_padding", {
        help: "Rows of padding in a step.",
        buckets: PADDING,
        labels,
      }),
      tokens: this.#families.histogram("vllm_neuron:num_batched_tokens_padding", {
        help: "Tokens of padding in a step.",
        buckets: PADDING,
        labels,
      }),
      runs: this.#families.counter(
        "vllm_neuron:neff_execution_count",
        "Executions of a compiled graph.",
        labels,
      ),
    };
    this.#buckets.set(name, bucket);
    return bucket;
  }
}
