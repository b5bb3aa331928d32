/**
 * The experts of a layer: each is run once a step, with the rows of all tokens that chose
 * it. So a step of one token reads the weights of its own few experts, and one of many
 * reads each expert's once. A token's results are added in the order of the experts,
 * whoever its neighbours are.
 */
import { EXPERT_INPUT, EXPERT_OUTPUT } from "./graph/experts.ts";
import type { ExpertsStep } from "./graph/steps.ts";
import type { Router } from "./routing.ts";
import { type Runner, Tensor } from "./session.ts";
import type { RowsGiven } from "./two-ways.ts";

/** What is known of a layer's experts by who computes some of them. */
export type ExpertsOf = Pick<ExpertsStep, "first"> & {
  readonly op: Pick<ExpertsStep["op"], "experts" | "hidden" | "scalesInput">;
};

export class Experts {
  readonly #step: ExpertsOf;
  readonly #router: Router;
  readonly #runners: readonly (Runner | undefined)[];
  readonly #given: RowsGiven;
  /** Tokens of each expert and their weights, refilled every step. */
  readonly #tokens: number[][];
  readonly #weights: number[][];
  #rows = new Float32Array(0);
  #results = new Float32Array(0);

  /** `runners` are of the experts from `step.first` on; undefined: somebody else computes it. */
  constructor(
    step: ExpertsOf,
    router: Router,
    runners: readonly (Runner | undefined)[],
    given: RowsGiven,
  ) {
    this.#given = given;
    this.#step = step;
    this.#router = router;
    this.#runners = runners;
    this.#tokens = runners.map(() => []);
    this.#weights = runners.map(() => []);
  }

  /** Which tokens visit which expert: `scores` are [tokens, experts]. Gives the tokens of each. */
  choose(scores: Float32Array): readonly (readonly number[])[] {
    const { op, first } = this.#step;
    for (const list of [...this.#tokens, ...this.#weights]) list.length = 0;
    for (let token = 0; token * op.experts < scores.length; token++) {
      const begin = token * op.experts;
      const { experts, weights } = this.#router.choose(scores.subarray(begin, begin + op.experts));
      experts.forEach((expert, place) => {
        this.#tokens[expert - first]?.push(token);
        this.#weights[expert - first]?.push(weights[place] as number);
      });
    }
    return this.#tokens;
  }

  /** `input` and `out` are [tokens, hidden], of those that were chosen for; `breathe` as Forward's; `mine`: by index. */
  compute(
    input: Float32Array,
    out: Float32Array,
    breathe: () => void,
    mine: (index: number) => boolean = () => true,
  ): void {
    const { hidden, scalesInput = false } = this.#step.op;
    out.fill(0);
    this.#runners.forEach((runner, index) => {
      const tokens = this.#tokens[index] ?? [];
      if (tokens.length === 0 || runner === undefined || !mine(index)) return;
      breathe();
      const rows = this.#given(tokens.length);
      const size = rows * hidden;
      if (this.#rows.length < size) {
        this.#rows = new Float32Array(size);
        this.#results = new Float32Array(size);
      }
      tokens.forEach((token, row) => {
        this.#rows.set(input.subarray(token * hidden, (token + 1) * hidden), row * hidden);
        if (scalesInput) this.#scale(row * hidden, this.#weights[index]?.[row] ?? 0);
      });
      const tensor = (data: Float32Array): Tensor =>
        new Tensor("float32", data.subarray(0, size), [rows, hidden]);
      runner.run(
        { [EXPERT_INPUT]: tensor(this.#rows) },
        { [EXPERT_OUTPUT]: tensor(this.#results) },
      );
      tokens.forEach((token, row) => {
        const weight = scalesInput ? 1 : (this.#weights[index]?.[row] ?? 0);
        this.#add(row * hidden, weight, out, token * hidden);
      });
    });
  }

  close(): void {
    for (const runner of this.#runners) runner?.close();
  }

  #scale(at: number, weight: number): void {
    const factor = Math.fround(weight);
    for (let i = at; i < at + this.#step.op.hidden; i++)
      this.#rows[i] = (this.#rows[i] as number) * factor;
  }

  #add(from: number, weight: number, out: Float32Array, at: number): void {
    const results = this.#results;
    const factor = Math.fround(weight);
    for (let i = 0; i < this.#step.op.hidden; i++)
      out[at + i] = (out[at + i] as number) + (results[from + i] as number) * factor;
  }
}
