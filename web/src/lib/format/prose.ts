/** The server's sentences, as pages show them. */

/** A text with `code` in it, in pieces. */
export function pieces(text: string): { text: string; isCode: boolean }[] {
    return text
        .split('`')
        .map((piece, index) => ({ text: piece, isCode: index % 2 === 1 }))
        .filter((piece) => piece.text !== '');
}

/** With a capital, unless it begins with a name of the field, and a full stop. */
export function asSentence(text: string): string {
    const capitalised = /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
    return /[.!?…]$/.test(capitalised) ? capitalised : `${capitalised}.`;
}

/** `a, b and c`. */
export function listed(parts: readonly string[]): string {
    return parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}
