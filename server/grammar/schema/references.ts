/**
 * Where `$ref` leads. Every schema of the document has an address: the `$id` around
 * it, resolved as a URL, and behind the # a pointer or an `$anchor`. Nothing is
 * fetched: an address outside the document is refused by name.
 */
import { GrammarError } from "../grammar.ts";
import { isObject, type Schema } from "./flat.ts";
import { unsupported } from "./read.ts";

type Keywords = Exclude<Schema, boolean>;

/** A part of the document with an address of its own. */
interface Resource {
  readonly root: Schema;
  readonly address: string;
  readonly anchors: Map<string, Schema>;
}

/** Of a document without an `$id`. */
const NAMELESS = "schema:///";

/** Keywords whose value is a schema or a list of them, and those that name schemas. */
const INNER: readonly string[] = [
  ...["items", "additionalItems", "prefixItems", "contains", "unevaluatedItems"],
  ...["additionalProperties", "propertyNames", "unevaluatedProperties", "contentSchema"],
  ...["not", "if", "then", "else", "allOf", "anyOf", "oneOf"],
];
const NAMED: readonly string[] = [
  ...["$defs", "definitions", "properties", "patternProperties"],
  ...["dependentSchemas", "dependencies"],
];

export class References {
  readonly #main: Resource;
  readonly #resources = new Map<string, Resource>();
  readonly #homes = new Map<Schema, Resource>();
  /** Places of a `$dynamicAnchor`, by its name. */
  readonly #dynamic = new Map<string, Schema[]>();
  /** Before draft 2019-09 an `$id` beside a `$ref` means nothing. */
  readonly #dialect: "old" | "new" | "unsaid";

  constructor(root: Schema) {
    const said = isObject(root) ? root["$schema"] : undefined;
    this.#dialect = typeof said !== "string" ? "unsaid" : /draft-0[3-7]/.test(said) ? "old" : "new";
    this.#main = { root, address: NAMELESS, anchors: new Map() };
    this.#resources.set(NAMELESS, this.#main);
    this.#visit(root, this.#main);
  }

  /** What a `$ref` of the schema `from` points to. */
  resolve(reference: unknown, from: Schema): Schema {
    if (typeof reference !== "string") throw new GrammarError('"$ref" must be a string');
    const home = this.#homes.get(from) ?? this.#main;
    const address = URL.canParse(reference, home.address)
      ? new URL(reference, home.address)
      : undefined;
    const fragment = reference.includes("#") ? reference.slice(reference.indexOf("#") + 1) : "";
    const resource = reference.startsWith("#")
      ? home
      : address && this.#resources.get(withoutFragment(address.href));
    if (resource === undefined) {
      throw unsupported("$ref", ` for ${JSON.stringify(reference)}: it is not in this document`);
    }
    const found = this.#within(resource, fragment) ?? this.#within(this.#main, fragment);
    if (found === undefined)
      throw new GrammarError(`"$ref" ${JSON.stringify(reference)} points to nothing`);
    if (typeof found !== "boolean" && !isObject(found))
      throw new GrammarError(`"$ref" ${JSON.stringify(reference)} does not point to a schema`);
    if (!this.#homes.has(found)) this.#visit(found, resource);
    return found;
  }

  /**
   * What a `$dynamicRef` points to: the same as a `$ref`, unless several schemas of
   * the document bear the anchor; which of them is meant is then known only on the way.
   */
  resolveDynamic(reference: unknown, from: Schema): Schema {
    const target = this.resolve(reference, from);
    const name = isObject(target) ? target["$dynamicAnchor"] : undefined;
    const places = typeof name === "string" ? (this.#dynamic.get(name) ?? []) : [];
    if (places.length > 1) throw unsupported("$dynamicRef", " where several schemas bear its name");
    return target;
  }

  #within(resource: Resource, fragment: string): unknown {
    const text = decoded(fragment);
    if (text === "") return resource.root;
    if (!text.startsWith("/")) return resource.anchors.get(text);
    let at: unknown = resource.root;
    for (const part of text.slice(1).split("/")) {
      const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
      if (Array.isArray(at)) at = at[Number(name)];
      else at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
    }
    return at;
  }

  #visit(schema: Schema, around: Resource): void {
    const open: (readonly [Schema, Resource])[] = [[schema, around]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [part, outer] = next;
      if (!isObject(part) || this.#homes.has(part)) continue;
      const home = this.#enter(part, outer);
      this.#homes.set(part, home);
      for (const keyword of INNER) {
        const value = part[keyword];
        for (const inner of Array.isArray(value) ? value : [value])
          if (isObject(inner)) open.push([inner, home]);
      }
      for (const keyword of NAMED) {
        const value = part[keyword];
        if (!isObject(value)) continue;
        for (const inner of Object.values(value)) if (isObject(inner)) open.push([inner, home]);
      }
    }
  }

  /** The resource that a schema belongs to, which may begin with it; notes its anchors. */
  #enter(part: Keywords, outer: Resource): Resource {
    const beside = part["$ref"] !== undefined;
    const id = beside && this.#dialect === "old" ? undefined : part["$id"];
    if (beside && this.#dialect === "unsaid" && typeof id === "string" && !id.startsWith("#"))
      throw unsupported("$id", ' beside a "$ref" where no "$schema" says what it means');
    let home = outer;
    if (typeof id === "string" && !id.startsWith("#") && URL.canParse(id, outer.address)) {
      const address = withoutFragment(new URL(id, outer.address).href);
      home = { root: part, address, anchors: new Map() };
      if (!this.#resources.has(address)) this.#resources.set(address, home);
    } else if (typeof id === "string" && id.startsWith("#")) home.anchors.set(id.slice(1), part);
    for (const keyword of ["$anchor", "$dynamicAnchor"]) {
      const name = part[keyword];
      if (typeof name !== "string") continue;
      home.anchors.set(name, part);
      if (keyword === "$dynamicAnchor")
        this.#dynamic.set(name, [...(this.#dynamic.get(name) ?? []), part]);
    }
    return home;
  }
}

const withoutFragment = (address: string): string => address.replace(/#.*$/s, "");

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded after all: taken as it stands.
    return text;
  }
}
