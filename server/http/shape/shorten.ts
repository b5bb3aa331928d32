/** So many characters of a text, and that there were more. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  // A character has two places at most.
  const characters = [...text.slice(0, 2 * (most + 1))];
  return characters.length <= most ? text : `${characters.slice(0, most).join("")}...[truncated]`;
}
