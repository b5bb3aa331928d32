/** What a plan of this page is asked for, as the link says it: lists as the command line takes them. */
import { list } from "../../../../scripts/commands/kinds.ts";
import {
  isUsers,
  PLAN_DEFAULTS,
  type PlanOptions,
  pricesOf,
} from "../../../../scripts/commands/plan/options.ts";

export interface PlanAsk {
  readonly model: string;
  readonly input: string;
  readonly output: string;
  readonly spread: string;
  readonly people: string;
  readonly ttft: string;
  readonly pace: string;
  readonly percentile: string;
  readonly instances: string;
  readonly tp: string;
  readonly formats: string;
  /** Sets by comma, + joins the kernels of one. */
  readonly kernels: string;
  /** As --speculative-config; tried beside none. */
  readonly drafts: string;
  /** NAME=DOLLARS, by comma. */
  readonly prices: string;
  /** As --set: figures of the machines otherwise. */
  readonly set: string;
  readonly seconds: string;
}

const { goal, formats, seconds } = PLAN_DEFAULTS;

export const FIRST: PlanAsk = {
  model: "meta-llama/Llama-3.1-8B-Instruct",
  input: String(goal.workload.inputLen),
  output: String(goal.workload.outputLen),
  spread: String(goal.workload.spread),
  people: String(goal.users),
  ttft: String(goal.slo.ttft),
  pace: String(goal.slo.tokensPerUser),
  percentile: String(goal.slo.percentile),
  instances: "",
  tp: "",
  formats: formats.join(","),
  kernels: "",
  drafts: "",
  prices: "",
  set: "",
  seconds: String(seconds),
};

/** Throws a sentence that names the field. */
export function planOptions(ask: PlanAsk): PlanOptions {
  const number = (title: string, text: string, ok: (value: number) => boolean): number => {
    const value = Number(text);
    if (text.trim() === "" || !ok(value)) throw new Error(`${title} cannot be “${text}”.`);
    return value;
  };
  const count = (title: string, text: string): number =>
    number(title, text, (value) => Number.isInteger(value) && value > 0);
  const positive = (title: string, text: string): number =>
    number(title, text, (value) => value > 0 && Number.isFinite(value));
  const words = (text: string): string[] => list(text).filter((word) => word !== "");
  const instances = words(ask.instances);
  const ranks = words(ask.tp).map((text) => count("TP", text));
  const sets = list(ask.kernels).map((set) => set.replaceAll("+", ","));
  return {
    model: ask.model,
    goal: {
      users: number("Users", ask.people, isUsers),
      workload: {
        inputLen: count("Prompt", ask.input),
        outputLen: count("Answer", ask.output),
        spread: number("Spread", ask.spread, (value) => value >= 0 && value < 1),
      },
      slo: {
        ttft: positive("First token", ask.ttft),
        tokensPerUser: positive("Tokens/s/user", ask.pace),
        percentile: number("Percentile", ask.percentile, (value) => value > 0 && value < 100),
      },
      seed: goal.seed,
    },
    instances,
    tensorParallel: ranks.length === 0 ? PLAN_DEFAULTS.tensorParallel : ranks,
    formats: words(ask.formats),
    kernels: sets,
    speculative: ask.drafts.trim() === "" ? [undefined] : [undefined, ask.drafts],
    own: ask.set.trim() === "" ? {} : { set: ask.set },
    prices: pricesOf(words(ask.prices), instances),
    seconds: positive("Seconds", ask.seconds),
    rows: PLAN_DEFAULTS.rows,
  };
}
