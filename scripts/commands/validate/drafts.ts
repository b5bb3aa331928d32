/** What a step with drafts costs a token. */
import { constant } from "../../../device/trainium/constants.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import type { Draft } from "./read/draft.ts";
import type { SetUp } from "./setup.ts";
import { costOf, stepMilliseconds } from "./static.ts";

/** Tokens a draft of `k` is worth: each holds with the acceptance published beside the EAGLE3 rows. */
const ACCEPTANCE = 0.69;

/** ms a token of one stream, drafts counted. */
export function tokenMilliseconds(setUp: SetUp): number {
  const step = stepMilliseconds(setUp);
  const { draft, plan } = setUp;
  if (draft === undefined) return step;
  const gap = constant(plan.constants, "runtime.sync-gap") / 1e6;
  let tokens = 1;
  for (let index = 1; index <= draft.tokens; index++) tokens += ACCEPTANCE ** index;
  const passes = draft.kind === "parallel" ? 1 : draft.tokens;
  return (step + passes * draftMilliseconds(setUp, draft) + gap) / tokens;
}

/** ms of one pass of what drafts: a model's step on the same ranks, or a layer and the head of the target. */
function draftMilliseconds(setUp: SetUp, { kind, architecture, tokens }: Draft): number {
  const { plan } = setUp;
  const cost =
    architecture === undefined ? costOf(setUp) : new CostModel({ ...plan, architecture });
  const graph = cost.graph({
    phase: "decode",
    rows: setUp.batch,
    queries: kind === "parallel" ? tokens : 1,
    context: plan.maxContext,
  });
  if (architecture !== undefined) return graph.nanos / 1e6;
  const layers = plan.architecture.layers.length;
  const edge = graph.epilogue.reduce((sum, call) => sum + call.nanos, 0);
  return ((graph.nanos - edge) / layers + edge) / 1e6;
}
