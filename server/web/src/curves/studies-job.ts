/** A job of the engine: the studies of the command line, as data. */
import { findInstance } from "../../../../device/trainium/instances.ts";
import { declaredModel } from "../../../../models/declared.ts";
import type { Model } from "../../../../models/model.ts";
import {
  CONFIGURATIONS,
  decompose,
  points,
} from "../../../../scripts/commands/study/headline-points.ts";
import {
  PRINCIPLES_MODEL,
  principleTimes,
} from "../../../../scripts/commands/study/principles-times.ts";
import { catalogConfig } from "../catalog.ts";
import type { StudyAnswer } from "./studied.ts";

const answer = (message: StudyAnswer): void => postMessage(message);

/** As studies take a model: its weights in BF16 whatever its config declares. */
function modelOf(id: string): Model {
  return { ...declaredModel(catalogConfig(id), id), format: "bf16" };
}

function run(): void {
  answer({ kind: "principles", times: principleTimes(modelOf(PRINCIPLES_MODEL)) });
  const model = modelOf("openai/gpt-oss-120b");
  const old = findInstance("trn2-ultraserver");
  const next = findInstance("trn3-gen2-ultraserver");
  const of = CONFIGURATIONS * 9;
  let done = 0;
  const progress = (): void => {
    done++;
    if (done % 10 === 0) answer({ kind: "progress", done, of });
  };
  const two = points(model, old, "bf16", { progress });
  const three = points(model, next, "mxfp4", { progress });
  const differences = decompose(model, old, next, { progress });
  answer({ kind: "headline", data: { two, three, differences } });
  answer({ kind: "progress", done: of, of });
}

export function studiesJob(): void {
  try {
    run();
  } catch (error) {
    answer({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
  }
}
