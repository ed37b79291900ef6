/** Binary files as their formats describe them, for what tests upload. */
import { crc32, deflateSync } from 'node:zlib';

/** NPY version 1.0 (NEP 1): uint8 in C order. */
export function npy(shape: readonly number[], pixels: Uint8Array): Uint8Array<ArrayBuffer> {
    const dictionary = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
    // Magic string, version and length are 10 bytes; all of it is padded to a multiple of 64 and ends with a line feed.
    const padded = dictionary.padEnd(Math.ceil((10 + dictionary.length + 1) / 64) * 64 - 10 - 1) + '\n';
    const file = new Uint8Array(10 + padded.length + pixels.length);
    file.set([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8]);
    file.set(Buffer.from(padded, 'latin1'), 10);
    file.set(pixels, 10 + padded.length);
    return file;
}

/** A safetensors file: the header's length, the header, the tensors' bytes, all little-endian. */
export function safetensors(tensors: Readonly<Record<string, { shape: readonly number[]; values: Float32Array }>>): Buffer {
    const header: Record<string, unknown> = {};
    let offset = 0;
    for (const [name, { shape, values }] of Object.entries(tensors)) {
        header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] };
        offset += values.byteLength;
    }
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const data = Object.values(tensors).map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    return Buffer.concat([length, json, ...data]);
}

/** An uncompressed archive (POSIX ustar) of regular files. */
export function tar(files: readonly (readonly [name: string, content: Buffer])[]): Uint8Array<ArrayBuffer> {
    const blocks = files.flatMap(([name, content]) => {
        const header = Buffer.alloc(512);
        header.write(name, 0);
        header.write('0000644\0', 100);
        header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
        header.write('00000000000\0', 136);
        header.write('        0', 148);
        header.write('ustar\x0000', 257);
        const sum = header.reduce((total, byte) => total + byte, 0);
        header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
        return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
    });
    return new Uint8Array(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

/** A PNG file of one colour, eight bits a channel. */
export function png(width: number, height: number, colour: readonly [number, number, number]): Buffer {
    const chunk = (type: string, data: Buffer): Buffer => {
        const body = Buffer.concat([Buffer.from(type), data]);
        const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
        length.writeUInt32BE(data.length);
        check.writeUInt32BE(crc32(body));
        return Buffer.concat([length, body, check]);
    };
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    // Eight bits, red green blue; compression, filter and interlacing as usual.
    header.set([8, 2, 0, 0, 0], 8);
    const row = Buffer.concat([Buffer.from([0]), ...Array.from({ length: width }, () => Buffer.from(colour))]);
    const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)));
    return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
}
