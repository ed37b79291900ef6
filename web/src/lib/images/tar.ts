/** Enough of the tar format to show some images of an archive without downloading all of it. */

export interface TarFile {
    name: string;
    bytes: Uint8Array<ArrayBuffer>;
}

const BLOCK = 512;

/**
 * The regular files that are whole in `start`, the beginning of an archive (POSIX.1-2017 `pax` and `ustar`, and GNU tar's
 * long names), in its order.
 */
export function filesAtStart(start: Uint8Array<ArrayBuffer>): TarFile[] {
    const files: TarFile[] = [];
    let longName: string | null = null;
    for (let at = 0; at + BLOCK <= start.length; ) {
        const header = start.subarray(at, at + BLOCK);
        const size = Number.parseInt(text(header, 124, 12).trim() || '0', 8);
        const name = [text(header, 345, 155), text(header, 0, 100)].filter(Boolean).join('/');
        // Two blocks of zeros end an archive.
        if (name === '' || !Number.isSafeInteger(size)) break;
        const content = start.subarray(at + BLOCK, at + BLOCK + size);
        if (content.length < size) break;
        switch (String.fromCharCode(header[156] ?? 0)) {
            case 'L':
                longName = text(content, 0, size);
                break;
            case 'x':
                longName = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(new TextDecoder().decode(content))?.[1] ?? longName;
                break;
            case '0':
            case '\0':
                files.push({ name: longName ?? name, bytes: content });
                longName = null;
                break;
            default:
                longName = null;
        }
        at += BLOCK * (1 + Math.ceil(size / BLOCK));
    }
    return files;
}

/** A field of a header: text that ends at its first zero byte. */
function text(bytes: Uint8Array, from: number, length: number): string {
    const field = bytes.subarray(from, from + length);
    const end = field.indexOf(0);
    return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}
