/** When the things that happen to a completion happened: kept while it runs, and for a while after. */

import type { Nanos } from "../../device/clock.ts";
import { appended } from "../appended.ts";
import type { SequenceEvent } from "../engines.ts";
import { entryAt } from "../entry-at.ts";
import { type Causes, Receipt } from "./receipts.ts";
import type { LoggedStep } from "./step-log.ts";

/** A step's share of a prompt. */
export interface Piece {
  /** End of the step. */
  readonly at: Nanos;
  readonly duration: Nanos;
  readonly tokens: number;
}

export class Life {
  readonly engine: number;
  readonly submitted: Nanos;
  scheduled: Nanos[] = [];
  preempted: Nanos[] = [];
  pieces: Piece[] = [];
  /** Ends of steps that gave it tokens. */
  emitted: Nanos[] = [];
  /** Tokens of each of them; absent while it was one each. */
  tokens: number[] | undefined;
  cachedTokens = 0;
  /** True from being taken into a batch until its next token. */
  computing = false;
  /** Its marks were given up for those of newer ones. */
  forgotten = false;

  constructor(engine: number, submitted: Nanos) {
    this.engine = engine;
    this.submitted = submitted;
  }

  receive(event: SequenceEvent): void {
    switch (event.type) {
      case "request-scheduled":
        this.scheduled = appended(this.scheduled, event.at);
        if (!event.resumed) this.cachedTokens = event.cachedTokens;
        this.computing = true;
        return;
      case "request-preempted":
        this.preempted = appended(this.preempted, event.at);
        this.computing = false;
        return;
      case "tokens-emitted":
        this.computing = false;
        if (event.tokens.length !== 1) this.tokens ??= this.emitted.map(() => 1);
        this.emitted = appended(this.emitted, event.at);
        this.tokens?.push(event.tokens.length);
        return;
    }
  }

  /** A step computed `tokens` of its prompt, or of what was computed before it lost its blocks. */
  piece({ at, duration }: { readonly at: Nanos; readonly duration: Nanos }, tokens: number): void {
    this.pieces = appended(this.pieces, { at, duration, tokens });
  }

  ended(): void {
    this.computing = false;
  }

  /** Marks that it holds. */
  get size(): number {
    return this.emitted.length + this.pieces.length;
  }

  /** Tokens after a stop string are nobody's. */
  endAt(last: Nanos): void {
    let kept = this.emitted.length;
    while (kept > 0 && entryAt(this.emitted, kept - 1) > last) kept--;
    this.emitted.length = kept;
    if (this.tokens !== undefined) this.tokens.length = kept;
  }

  forget(): void {
    this.emitted = [];
    this.tokens = undefined;
    this.pieces.length = 0;
    this.forgotten = true;
  }

  /** The longest wait between two of its tokens, ns; undefined: it has not two. */
  get stall(): Nanos | undefined {
    const { emitted } = this;
    if (emitted.length < 2) return undefined;
    let most = 0;
    for (let index = 1; index < emitted.length; index++) {
      most = Math.max(most, entryAt(emitted, index) - entryAt(emitted, index - 1));
    }
    return most;
  }

  /** Ends of the steps that computed it. */
  get computedAt(): ReadonlySet<Nanos> {
    return new Set([...this.emitted, ...this.pieces.map(({ at }) => at)]);
  }

  /** Where its time went until `when`, from the engine's steps since its submission: the receipt of metrics/receipts.ts. */
  receipt(steps: readonly LoggedStep[], when: Nanos): Causes {
    const receipt = new Receipt(this.submitted);
    const computed = this.computedAt;
    const emitted = new Set(this.emitted);
    let lost = 0;
    for (const step of steps) {
      for (; (this.preempted[lost] ?? Number.POSITIVE_INFINITY) <= step.at; lost++) {
        receipt.preempted();
      }
      receipt.stepped(step, computed.has(step.at) ? step.causes : undefined, emitted.has(step.at));
    }
    return receipt.upTo(when);
  }
}
