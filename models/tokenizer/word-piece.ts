/**
 * vocab.txt of BERT and its kin, a token a line, as the tokenizer.json that transformers 5
 * makes of it (`BertTokenizer`, `MPNetTokenizer`).
 */
import { isObject, ModelConfigError } from "../config.ts";

type Config = Readonly<Record<string, unknown>>;

interface Special {
  readonly unknown: string;
  readonly begin: string;
  readonly end: string;
  readonly padding: string;
  readonly mask: string;
}

const BERT: Special = {
  unknown: "[UNK]",
  begin: "[CLS]",
  end: "[SEP]",
  padding: "[PAD]",
  mask: "[MASK]",
};
const MPNET: Special = {
  unknown: "[UNK]",
  begin: "<s>",
  end: "</s>",
  padding: "<pad>",
  mask: "<mask>",
};

/** By `tokenizer_class`, without its "Fast". */
const CLASSES: Readonly<Record<string, Special>> = {
  BertTokenizer: BERT,
  DistilBertTokenizer: BERT,
  ElectraTokenizer: BERT,
  LayoutLMTokenizer: BERT,
  MobileBertTokenizer: BERT,
  MPNetTokenizer: MPNET,
};

/** The text of a tokenizer.json. `config` is tokenizer_config.json. Throws ModelConfigError. */
export function wordPieceFile(vocabulary: string, file: string, config: Config): string {
  const named = config["tokenizer_class"] ?? "BertTokenizer";
  const special = typeof named === "string" ? CLASSES[named.replace(/Fast$/, "")] : undefined;
  if (special === undefined) {
    throw new ModelConfigError(
      `${file}: tokenizer_class says ${String(named)}, whose vocab.txt is not read (${Object.keys(CLASSES).join(", ")} are); save its tokenizer.json beside it`,
    );
  }
  const vocab = idsOf(vocabulary);
  const word = (key: string, usual: string): string => {
    const said = isObject(config[key]) ? config[key]["content"] : config[key];
    return typeof said === "string" ? said : usual;
  };
  const idOf = (token: string): number => {
    const id = vocab.get(token);
    if (id !== undefined) return id;
    throw new ModelConfigError(`${file}: "${token}" is missing, which every text needs`);
  };
  const begin = word("cls_token", special.begin);
  const end = word("sep_token", special.end);
  const mask = word("mask_token", special.mask);
  const unknown = word("unk_token", special.unknown);
  const added = [word("pad_token", special.padding), unknown, begin, end, mask]
    .filter((token) => vocab.has(token))
    .map((content) => ({
      id: idOf(content),
      content,
      single_word: false,
      // MPNet's mask takes the space before it.
      lstrip: content === mask && special === MPNET,
      rstrip: false,
      normalized: false,
      special: true,
    }));
  return JSON.stringify({
    version: "1.0",
    added_tokens: added,
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: config["tokenize_chinese_chars"] !== false,
      strip_accents: config["strip_accents"] ?? null,
      lowercase: config["do_lower_case"] !== false,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "BertProcessing",
      cls: [begin, idOf(begin)],
      sep: [end, idOf(end)],
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: unknown,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocab),
    },
  });
}

/** The id is the line; of a token that stands twice, the later. */
function idsOf(vocabulary: string): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  for (const [id, token] of vocabulary.replace(/\n$/, "").split("\n").entries()) {
    ids.set(token.replace(/\r$/, ""), id);
  }
  return ids;
}
