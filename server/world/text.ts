/** What text is here: who counts and tells ids, what a chat becomes, and how output is read. */
import type { Device } from "../../device/device.ts";
import type { GenerationDefaults } from "../../models/model.ts";
import { FourByteTokenizer, plainChatTemplate } from "../../models/tokenizer/four-bytes.ts";
import { faultOf } from "../../models/tokenizer/try-template.ts";
import { createPlanner } from "../generation/planning.ts";
import { RequestTemplates } from "../generation/request-template.ts";
import type { Serving } from "../serving.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import { samplingDefaults } from "./generation-defaults.ts";
import { optional } from "./optional.ts";
import type { Served } from "./served.ts";

export interface Text
  extends Pick<
    Serving,
    | "tokenizer"
    | "chatTemplate"
    | "vocabSize"
    | "promptVocabSize"
    | "defaults"
    | "samples"
    | "planner"
    | "templates"
  > {
  /** What is wrong with the template and can be served nevertheless. */
  readonly notes: readonly string[];
}

/** Throws SettingsError for a template that cannot be used. */
export function textOf(served: Served, device: Pick<Device, "vocabSize" | "can">): Text {
  const { settings, model, words } = served;
  // Synthetic ids without a tokenizer of their own are counted and told by bytes.
  const counted = words === undefined ? new FourByteTokenizer(device.vocabSize) : words.tokenizer;
  const tokenizer = model.tokenizer ?? counted;
  // With borrowed words, only their ids have a text.
  const borrowed = model.tokenizer === undefined ? words?.architecture.vocabSize : undefined;
  const chatTemplate =
    model.chatTemplate ?? (words === undefined ? plainChatTemplate : words.chatTemplate);
  const fault = chatTemplate && faultOf(chatTemplate, settings["default-chat-template-kwargs"]);
  const sentence = fault && `${templateName(settings)}: ${fault.sentence}`;
  if (fault?.fatal) throw new SettingsError(`${sentence}.`);
  const text = {
    ...(tokenizer && { tokenizer }),
    vocabSize: borrowed ?? device.vocabSize,
    defaults: samplingDefaults(
      model.tokenizer === undefined && words ? words.generation : model.generation,
      settings,
    ),
    samples: device.can.grammar,
  };
  return {
    ...text,
    ...(chatTemplate && { chatTemplate }),
    promptVocabSize: device.vocabSize,
    planner: plannerOf(served, text),
    templates: new RequestTemplates(model.tokenizerConfig ?? words?.tokenizerConfig ?? {}),
    notes: sentence === undefined ? [] : [sentence],
  };
}

function plannerOf(
  { settings, closeAfter }: Served,
  text: Pick<Text, "tokenizer" | "vocabSize" | "samples"> & {
    readonly defaults: GenerationDefaults;
  },
): Text["planner"] {
  const { tokenizer, vocabSize, samples, defaults } = text;
  return createPlanner({
    ...(tokenizer && { tokenizer }),
    vocabSize,
    samples,
    endIds: defaults.eosTokenIds,
    ...optional("toolParser", settings["tool-call-parser"]),
    autoTools: settings["enable-auto-tool-choice"] ?? false,
    ...(closeAfter !== undefined && { closeAfter, callsByName: true }),
    hideUnusedTools: settings["exclude-tools-when-tool-choice-none"],
    ...optional("reasoningParser", settings["reasoning-parser"]),
    templateDefaults: settings["default-chat-template-kwargs"],
  });
}

function templateName(settings: Settings): string {
  const given = settings["chat-template"];
  if (given === undefined) return "The model's chat template (give another by --chat-template)";
  return given.includes("\n") ? "--chat-template" : `--chat-template ${given}`;
}
