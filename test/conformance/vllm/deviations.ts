/**
 * Where this server answers otherwise than vLLM on purpose, by the cases' names:
 * the list of server/README.md. A case that is named here must differ.
 */
export const DEVIATIONS: readonly { readonly cases: RegExp; readonly why: string }[] = [
  {
    cases: /: (a schema|a schema as text|response_format json_schema(, strict)?)$/,
    why: "Between the tokens of JSON stands one blank at most: xgrammar lets a model write blanks to its limit.",
  },
  {
    cases: /^chat: messages: an image part whose URL is a text$/,
    why: "Media are refused before what is in them is looked at.",
  },
  {
    cases: /^chat: response_format's tag is bad$/,
    why: "What is wrong with a structural tag is said.",
  },
];
