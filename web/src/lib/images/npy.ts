/** Enough of NumPy's NPY format to show some images of a file without downloading all of it. */

export interface NpyHeader {
    /** NumPy's type string, `|u1` for bytes. */
    dtype: string;
    fortranOrder: boolean;
    shape: readonly number[];
    /** Where the array's data begin, in bytes. */
    dataOffset: number;
}

/** How many bytes of a file to ask for to be sure of its header: NumPy pads headers to a multiple of 64. */
export const HEADER_BYTES = 256;

/** Whether a file begins as an NPY file does. Its name says nothing: it may have been uploaded without one. */
export function isNpy(bytes: Uint8Array): boolean {
    const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
    return magic.every((byte, index) => bytes[index] === byte);
}

/**
 * The header of an NPY file, from its first bytes (numpy.lib.format, versions 1 to 3).
 *
 * @throws {Error} where it is not one, or not all of it is there.
 */
export function parseNpyHeader(bytes: Uint8Array): NpyHeader {
    if (!isNpy(bytes)) throw new Error('not an NPY file');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isFirstVersion = view.getUint8(6) === 1;
    const textOffset = isFirstVersion ? 10 : 12;
    const dataOffset = textOffset + (isFirstVersion ? view.getUint16(8, true) : view.getUint32(8, true));
    if (dataOffset > bytes.byteLength) throw new Error(`the NPY header ends at byte ${dataOffset}, beyond what was read`);
    const text = new TextDecoder('latin1').decode(bytes.subarray(textOffset, dataOffset));
    const dtype = /'descr':\s*'([^']*)'/.exec(text)?.[1];
    const fortran = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
    const shape = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
    if (dtype === undefined || fortran === undefined || shape === undefined) throw new Error(`not an array's NPY header: ${text}`);
    return { dtype, fortranOrder: fortran === 'True', shape: shape.split(',').filter((part) => part.trim()).map(Number), dataOffset };
}

/** The shape of the array in the NPY file at `url`; `null` where it is another file or cannot be read in parts. */
export async function npyShape(url: string): Promise<readonly number[] | null> {
    try {
        return parseNpyHeader(await bytesOf(url, 0, HEADER_BYTES)).shape;
    } catch {
        return null;
    }
}

/** An image of bytes: `height × width × channels`, row by row. */
export interface RawImage {
    height: number;
    width: number;
    /** 1 (grey) or 3 (red, green, blue). */
    channels: number;
    pixels: Uint8Array;
}

/**
 * The first images of an NPY file at `url`, uint8 `[N,H,W]` or `[N,H,W,C]`, by two range requests: as many as fit in
 * `budget` bytes, at most `atMost`.
 *
 * @throws {Error} where the file is of another kind or cannot be read in parts.
 */
export async function firstImages(url: string, { atMost, budget }: { atMost: number; budget: number }): Promise<RawImage[]> {
    const { dtype, fortranOrder, shape, dataOffset } = parseNpyHeader(await bytesOf(url, 0, HEADER_BYTES));
    const [count = 0, height = 0, width = 0, channels = 1] = shape;
    if (dtype !== '|u1' || fortranOrder || shape.length < 3 || shape.length > 4 || ![1, 3].includes(channels)) {
        throw new Error(`not images of bytes: ${dtype} of shape [${shape.join(', ')}]`);
    }
    const size = height * width * channels;
    const wanted = Math.min(count, atMost, Math.floor(budget / size));
    if (wanted === 0) return [];
    const data = await bytesOf(url, dataOffset, wanted * size);
    return Array.from({ length: wanted }, (_, index) => ({
        height,
        width,
        channels,
        pixels: data.subarray(index * size, (index + 1) * size),
    }));
}

/** `length` bytes of a file from `start` on, or fewer at its end. */
export async function bytesOf(url: string, start: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const answer = await fetch(url, { headers: { range: `bytes=${start}-${start + length - 1}` } });
    if (answer.status !== 206) {
        await answer.body?.cancel();
        throw new Error(`${url} answered ${answer.status} to a range request`);
    }
    return new Uint8Array(await answer.arrayBuffer());
}
