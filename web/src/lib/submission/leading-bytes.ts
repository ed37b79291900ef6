/** What a file is by its first bytes, as the server looks too: so that nobody sends a gigabyte to be told. */

export type Content =
    | { is: 'text' | 'npy' | 'gzip' | 'zstd' | 'safetensors' | 'onnx' }
    /** Never accepted, whatever it is submitted as; `remedy` says what to send instead. */
    | { is: 'refused'; remedy: string };

const ASCII = new TextDecoder('latin1');

const PICKLE =
    'This is a Python pickle, which is never loaded because loading one runs its code. Save the array with np.save, or write CSV.';
const PYTORCH =
    'This is a PyTorch file, which only pickle can read. For a model: `referee convert MODEL.pth OUT.safetensors` or torch.onnx.export. For predictions: np.save(\'predictions.npy\', array.cpu().numpy()).';

/** `head`: the first kilobyte, or all of a shorter file. */
export function contentOf(head: Uint8Array, filename: string): Content {
    const begins = (...bytes: number[]): boolean => bytes.every((byte, index) => head[index] === byte);
    const text = ASCII.decode(head);
    const refused = (remedy: string): Content => ({ is: 'refused', remedy });
    const extension = /\.([a-z0-9]+)$/i.exec(filename)?.[1]?.toLowerCase() ?? '';

    if (head.length === 0) return refused('The file is empty.');
    if (text.startsWith('PK')) return refused(zipRemedy(text));
    if (head[0] === 0x80 && head[1] !== undefined && head[1] >= 2 && head[1] <= 5) return refused(PICKLE);
    if (begins(0x89, 0x48, 0x44, 0x46)) {
        return refused('This is HDF5 (Keras saves models so). For a model: tf2onnx. For predictions: np.save.');
    }
    if (text.startsWith('TFL3', 4)) return refused('This is a TensorFlow Lite model. Convert the original model to ONNX with tf2onnx.');
    if (text.startsWith('PAR1') || text.startsWith('ARROW1')) return refused('This is a table in binary form. Write CSV.');
    if (begins(0xd0, 0xcf, 0x11, 0xe0)) return refused('This is a spreadsheet. Save it as CSV in UTF-8.');
    if (begins(0xff, 0xfe) || begins(0xfe, 0xff)) return refused('This is UTF-16 text. Save it as UTF-8.');
    if (begins(0xff, 0xd8, 0xff) || begins(0x89, 0x50, 0x4e, 0x47)) return refused('This is an image. Send what your method predicts.');
    if (text.startsWith('%PDF')) return refused('This is a PDF. Send predictions as text, CSV or NPY.');
    if (begins(0x1f, 0x8b)) return { is: 'gzip' };
    if (begins(0x28, 0xb5, 0x2f, 0xfd)) return { is: 'zstd' };
    if (begins(0xfd, 0x37, 0x7a, 0x58, 0x5a) || text.startsWith('BZh') || begins(0x37, 0x7a, 0xbc, 0xaf) || text.startsWith('Rar!')) {
        return refused('This compression is not accepted. Use gzip or zstd, or send the file as it is.');
    }
    if (begins(0x93) && text.startsWith('NUMPY', 1)) return { is: 'npy' };
    // A little-endian 64-bit length, then JSON.
    if (head.length > 8 && head[8] === 0x7b && begins(head[0]!, head[1]!, head[2]!, head[3]!, 0, 0, 0, 0)) return { is: 'safetensors' };
    if (extension === 'onnx' || (head[0] === 0x08 && head[1] !== undefined && head[1] < 20 && head[2] === 0x12)) return { is: 'onnx' };
    if (text.startsWith('{') || text.startsWith('[')) return refused('This looks like JSON. Send predictions as text, CSV or NPY.');
    if (text.startsWith('<')) return refused('This looks like HTML, perhaps an error page. Send predictions as text, CSV or NPY.');
    if (['pkl', 'pickle', 'joblib'].includes(extension)) return refused(PICKLE);
    if (['pt', 'pth'].includes(extension)) return refused(PYTORCH);
    if (head.includes(0)) return refused('This is neither text nor an array nor a model that is known here.');
    return { is: 'text' };
}

function zipRemedy(text: string): string {
    if (text.includes('data.pkl') || text.includes('/byteorder')) return PYTORCH;
    if (text.includes('.npy')) return 'This is an .npz archive. Save the one array with np.save instead of np.savez.';
    if (text.includes('[Content_Types].xml') || text.includes('xl/')) return 'This is a spreadsheet. Save it as CSV in UTF-8.';
    return 'This is a zip archive. Send the one file in it, as it is or compressed with gzip or zstd.';
}
