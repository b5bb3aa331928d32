/** The model as it is served: what prompts, plans and sampling are made with. */
import type { ChatTemplate, GenerationDefaults, Tokenizer } from "../../models/model.ts";
import type { ToolParse } from "../metrics/frontend-metrics.ts";
import type { Settings } from "../settings/table.ts";
import type { OutputPlanner } from "./planner.ts";
import type { RequestTemplates } from "./request-template.ts";

/** Names of the model: the first is reported, all are accepted. */
export type ModelNames = readonly [string, ...string[]];

export interface ServedModel {
  readonly names: ModelNames;
  readonly maxModelLen: number;
  /** Ids that can come out, and that have a text. */
  readonly vocabSize: number;
  /** Ids that can go in: the served model's, whoever says the words. */
  readonly promptVocabSize: number;
  readonly tokenizer?: Tokenizer;
  readonly chatTemplate?: ChatTemplate;
  /** Sampling defaults, `--generation-config` and its overrides applied. */
  readonly defaults: GenerationDefaults;
  readonly settings: Settings;
  /** False: ids are synthetic or told again, not drawn from logits: no log-probabilities, no structured output. */
  readonly samples: boolean;
  readonly planner: OutputPlanner;
  readonly templates: RequestTemplates;
  /** Told of each text that a tool parser read. */
  readonly parsedTools?: (parse: ToolParse) => void;
}
