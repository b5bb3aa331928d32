/** A published name → the catalogue's architecture, whatever the spelling. */
import { readdirSync, readFileSync } from "node:fs";
import type { Architecture } from "../../../../models/architecture.ts";
import { describe } from "../../../../models/registry.ts";
import { projectPath } from "../../../../models/weights/project-files.ts";

const CATALOG = projectPath("models", "catalog");

/** Words of a name that do not change the shapes. */
const SAY_NOTHING = new Set(
  (
    "instruct hf chat base thinking think thinker preview bf16 fp8 fp16 mxfp4 it pt meta model text cased uncased " +
    "discriminator turbo awq gptq dynamic static w8a8 int8 original decoder"
  ).split(" "),
);

/** Makers and organisations that stand before a name. */
const MAKERS =
  /^(?:meta-llama|meta|mistralai|qwen|openai|google|deepseek-ai|moonshotai|zai-org|thudm|upstage|sarvamai|xiaomimimo|arcee-ai|perceptronai|minimaxai|microsoft|ibm-granite|allenai|huggingfacetb|aws-neuron|unsloth|nousresearch|thebloke|redhatai|nvidia|datalab-to|codellama)\//;

/** Lower case and hyphens alone: tells versions of one model apart. */
const spelled = (name: string): string =>
  name
    .toLowerCase()
    .trim()
    .replace(MAKERS, "")
    .replace(/[_\s/]+/g, "-");

/** Lower case, hyphens, no maker, and "llama-3-1-8b" is "llama-3.1-8b". */
export function plainName(name: string): string {
  return name
    .toLowerCase()
    .trim()
    .replace(MAKERS, "")
    .replace(/^(?:meta|facebook)[\s_-]+(?=llama)/, "")
    .replace(/[_\s/]+/g, "-")
    .replace(/([a-z])-?(\d+)-(\d)(?=-\d+(?:\.\d+)?b\b)/, "$1-$2.$3")
    .replace(/^(llama|codellama|mixtral|mistral|ministral|gemma|phi|mimo)(\d)/, "$1-$2")
    .replace(/^(qwen|glm|kimi|gpt-?oss|olmo|smollm|falcon|granite)-(\d)/, "$1$2")
    .replace(/^gpt-?oss-?/, "gpt-oss-")
    .replace(/^code-?llama/, "codellama")
    .split("-")
    .filter((part) => part !== "" && !SAY_NOTHING.has(part) && !/^v0\.\d$|^\d{4}$/.test(part))
    .join("-");
}

const files = readdirSync(CATALOG)
  .filter((file) => file.endsWith(".json"))
  .sort();
const nameOf = (file: string): string => file.replace(/^.*?--/, "").replace(/\.json$/, "");
const catalogue = files.map((file) => [plainName(nameOf(file)), file] as const);
const spellings = new Map(files.map((file) => [spelled(nameOf(file)), file]));

const architectures = new Map<string, Architecture>();

/** The catalogue's architecture of a published name; undefined when it has none. */
export function findArchitecture(model: string): Architecture | undefined {
  const inside = [...model.matchAll(/\(([^)]*)\)/g)].map((found) => found[1] ?? "");
  for (const name of [model.replace(/\(.*?\)/g, ""), ...inside, ...model.split(/\s*,\s*/)]) {
    const file = spellings.get(spelled(name)) ?? fileOf(plainName(name));
    if (file !== undefined) return architectureOf(file);
  }
  return undefined;
}

function fileOf(name: string): string | undefined {
  if (name === "") return undefined;
  const exact = catalogue.find(([its]) => its === name);
  if (exact !== undefined) return exact[1];
  const longer = catalogue.filter(([its]) => its.startsWith(`${name}-`));
  if (longer.length === 1) return longer[0]?.[1];
  // "qwen3-8b-2507-neuron": what follows the size is a variant of the same shape.
  const sized = catalogue.filter(
    ([its]) =>
      /\d+(?:\.\d+)?[bm]$/.test(its) &&
      name.startsWith(`${its}-`) &&
      !/\d[bm](?:-|$)/.test(name.slice(its.length)),
  );
  return sized.sort((a, b) => b[0].length - a[0].length)[0]?.[1];
}

function architectureOf(file: string): Architecture {
  const known = architectures.get(file);
  if (known !== undefined) return known;
  const config: unknown = JSON.parse(readFileSync(`${CATALOG}/${file}`, "utf8"));
  const architecture = describe(config as Record<string, unknown>, file);
  architectures.set(file, architecture);
  return architecture;
}
