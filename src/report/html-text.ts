const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Characters that show nothing, or turn the text around them: a table may be named with them. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;

/** Any text as HTML that shows it and does nothing else, in elements and in quoted attributes. What cannot be seen is shown as `\u202e`. */
export function html(text: string): string {
  const visible = text.replace(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return visible.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
