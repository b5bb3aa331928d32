/**
 * Servers that step one compiled batch: what joins it, and when, is a policy of
 * the server's own scheduler. Sources: TGI's launcher and router (queue.rs,
 * infer.rs); vLLM's schedulers of 0.10 (V0) and 0.11 (V1) as optimum-neuron's
 * runner drives them (optimum/neuron/vllm/{platform,runner,worker}.py).
 */
import type { Nanos } from "../../../device/clock.ts";
import type { VirtualClock } from "../../../device/clocks/virtual.ts";
import { samplingNanos } from "../../../device/trainium/price/cost-model.ts";
import type { Answered, Service } from "./services.ts";
import type { SetUp } from "./setup.ts";
import { arrivalMilliseconds, hostNanos, promptMilliseconds, stepMilliseconds } from "./static.ts";

/** What a scheduler sees when the device is free. */
interface View {
  /** Tokens of the prompts that wait and have a free place, first come first. */
  readonly waiting: readonly number[];
  readonly running: number;
  /** Steps since a prompt joined. */
  readonly steps: number;
  /** Did the last turn add prompts to a batch that ran already? */
  readonly joined: boolean;
}

interface Turn {
  /** Prompts that join now. */
  readonly joins: number;
  /** Do those that run already make a token in this turn? */
  readonly steps: boolean;
  /** Prompts pass in one graph and are answered before the step; absent: one after another, told at the end. */
  readonly together?: true;
}

export type Policy = (view: View) => Turn;

/** How many prompts fit a budget of tokens, the first one always. */
function fitting(prompts: readonly number[], budget: number, padded: boolean): number {
  let longest = 0;
  let sum = 0;
  let count = 0;
  for (const prompt of prompts) {
    longest = Math.max(longest, prompt);
    sum += prompt;
    if (count > 0 && (padded ? (count + 1) * longest : sum) > budget) break;
    count++;
  }
  return count;
}

/** Tokens of a turn: max(2,048, max_model_len) in vLLM. */
const BUDGET = 4096;

/** TGI: decode steps after which a waiting prompt joins whatever the ratio says. */
const WAITING_TOKENS = 20;

/**
 * TGI's router: waiting prompts join a running batch when they are `ratio` times as
 * many (waiting_served_ratio: 1.2 before TGI 2.0, 0.3 since), or after so many steps,
 * and padded fit a budget (max_batch_prefill_tokens: 4,096 before 2.0, since then as
 * many prompts as there are places).
 */
export function routerPolicy(ratio: number, budget: number): Policy {
  return ({ waiting, running, steps, joined }) => {
    // A batch that begins looks once more for company before its first step.
    if (joined && running > 0) return { joins: 0, steps: true };
    const count = fitting(waiting, budget, true);
    const least =
      running === 0 || steps >= WAITING_TOKENS ? 1 : Math.max(1, Math.floor(running * ratio));
    return count >= least && count > 0 ? { joins: count, steps: false } : { joins: 0, steps: true };
  };
}

/** vLLM V0: prompts first, as many as the budget takes; their first tokens come together. */
export const promptsFirst: Policy = ({ waiting }) => {
  const joins = fitting(waiting, BUDGET, false);
  return { joins, steps: joins === 0 };
};

/** vLLM V1 over optimum-neuron's runner: a turn is a decode step, then its new prompts one by one. */
export const stepThenPrompts: Policy = ({ waiting, running }) => ({
  joins: fitting(waiting, BUDGET - running, false),
  steps: true,
});

/**
 * nkipy_serving: a turn is one graph of all new prompts that its chunk of 4,096 tokens takes, then a
 * decode step of the others (scheduler.py, _get_next_batches without mixed chunks).
 */
export const promptsTogether: Policy = ({ waiting }) => ({
  joins: fitting(waiting, BUDGET, false),
  steps: true,
  together: true,
});

interface Slot {
  readonly arrival: Nanos;
  readonly prompt: number;
  readonly done: (answered: Answered) => void;
  readonly gaps: number[];
  left: number;
  first: Nanos;
  last: Nanos;
}

/** ns of the prompts of a turn, and of their first tokens where one graph takes them all. */
function prefillNanos(setUp: SetUp, prompts: readonly Slot[], together: boolean): Nanos {
  if (prompts.length === 0) return 0;
  if (!together)
    return prompts.reduce(
      (sum, { prompt }) => sum + 1e6 * promptMilliseconds(setUp, { prompt }),
      0,
    );
  const tokens = prompts.reduce((sum, { prompt }) => sum + prompt, 0);
  const { plan } = setUp;
  const sampled = plan.onDeviceSampling ? 0 : samplingNanos(plan, prompts.length, prompts.length);
  // The graph is one, what the host does for a request is done for each.
  const hosted = (prompts.length - 1) * hostNanos(plan, "prompt");
  return 1e6 * promptMilliseconds(setUp, { prompt: tokens }) + hosted + sampled;
}

export function batchService(setUp: SetUp, clock: VirtualClock, policy: Policy): Service {
  const waiting: Slot[] = [];
  let running: Slot[] = [];
  let busy = false;
  let steps = 0;
  let joined = false;

  const end = (): void => {
    running = running.filter((slot) => {
      if (slot.left > 0) return true;
      const { arrival, first, gaps } = slot;
      slot.done({ arrival, first, end: clock.now(), tokens: gaps.length + 1, gaps });
      return false;
    });
  };

  const next = (): void => {
    if (busy || waiting.length + running.length === 0) return;
    const prompts = waiting.slice(0, setUp.batch - running.length).map((slot) => slot.prompt);
    const turn = policy({ waiting: prompts, running: running.length, steps, joined });
    const joining = waiting.splice(0, turn.joins);
    const stepping = turn.steps ? running : [];
    const prefill = prefillNanos(setUp, joining, turn.together === true);
    const decode = stepping.length > 0 ? stepMilliseconds(setUp, stepping.length) : 0;
    const ends = clock.now() + Math.round(prefill + decode * 1e6);
    busy = true;
    clock.at(
      ends,
      () => {
        busy = false;
        for (const slot of stepping) slot.gaps.push(ends - slot.last);
        for (const slot of [...stepping, ...joining]) {
          slot.last = ends;
          slot.left--;
        }
        for (const slot of joining) {
          slot.first = turn.together === true ? ends - Math.round(decode * 1e6) : ends;
          slot.last = slot.first;
        }
        joined = joining.length > 0 && running.length > 0;
        steps = joining.length > 0 ? 1 : steps + 1;
        running.push(...joining);
        end();
        next();
      },
      "step",
    );
  };

  return (prompt, output, done) => {
    const arrival = clock.now();
    clock.at(arrival + Math.round(arrivalMilliseconds(setUp) * 1e6), () => {
      waiting.push({ arrival, prompt, done, gaps: [], left: output, first: 0, last: 0 });
      next();
    });
  };
}
