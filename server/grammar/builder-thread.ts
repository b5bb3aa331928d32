/** Thread entry: builds grammars one at a time, so that a hostile one stops nobody. */
import { parentPort } from "node:worker_threads";
import { lowerPriority } from "../lower-priority.ts";
import { GrammarError } from "./grammar.ts";
import { buildGrammar, type GrammarSpec } from "./spec.ts";
import { type GrammarTable, layOutGrammar, tableArrays } from "./table.ts";
import { firstMask, walkBytes, walkTokens } from "./try-out.ts";
import { layOut, type TokenTexts, Vocabulary, type VocabularyData } from "./vocabulary.ts";

/** A vocabulary to lay out, or a grammar to build for one. */
export type BuildTask =
  | { readonly words: TokenTexts }
  | {
      /** Written by specText. */
      readonly text: string;
      readonly vocabulary: VocabularyData;
    };

export type BuildAnswer =
  | { readonly vocabulary: VocabularyData }
  | {
      readonly grammar: GrammarTable;
      /** Of the start. */
      readonly mask: Int32Array;
    }
  /** `refused`: the client's fault; otherwise a bug of ours. */
  | { readonly refused: boolean; readonly message: string };

lowerPriority();
const port = parentPort;
/** Of the last task: one server has one. */
let vocabulary: Vocabulary | undefined;

port?.postMessage("ready");
port?.on("message", (task: BuildTask) => {
  const found = answer(task);
  port.postMessage(found, "grammar" in found ? moved(found) : []);
});

/** What crosses without a copy. */
function moved({
  grammar,
  mask,
}: Extract<BuildAnswer, { grammar: GrammarTable }>): readonly ArrayBuffer[] {
  return [...tableArrays(grammar), mask].map(({ buffer }) => buffer as ArrayBuffer); // none is shared
}

function answer(task: BuildTask): BuildAnswer {
  if ("words" in task) return { vocabulary: layOut(task.words) };
  try {
    const spec = JSON.parse(task.text) as GrammarSpec; // written by specText
    const grammar = layOutGrammar(buildGrammar(spec));
    walkBytes(grammar);
    vocabulary ??= new Vocabulary(task.vocabulary);
    const mask = firstMask(grammar, vocabulary);
    walkTokens(grammar, vocabulary);
    return { grammar, mask };
  } catch (error) {
    if (error instanceof GrammarError) return { refused: true, message: error.message };
    // The stack is what nesting runs out of.
    if (error instanceof RangeError) {
      return { refused: true, message: "it is nested too deeply" };
    }
    const message = error instanceof Error ? error.message : String(error);
    return { refused: false, message };
  }
}
