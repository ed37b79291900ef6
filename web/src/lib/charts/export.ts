/** A chart as a file of its own: colours and type, which the page gives it, are written into it. */

const WRITTEN = ['fill', 'stroke', 'stroke-width', 'stroke-opacity', 'fill-opacity', 'opacity', 'font-family', 'font-size', 'font-weight', 'color'] as const;

/** The chart as the text of an SVG file, in the colours that it is shown in, on the page's background. */
export function svgText(chart: SVGSVGElement): string {
    const copy = chart.cloneNode(true) as SVGSVGElement;
    const originals = [chart, ...chart.querySelectorAll<SVGElement>('*')];
    const copies = [copy, ...copy.querySelectorAll<SVGElement>('*')];
    originals.forEach((original, index) => {
        const style = getComputedStyle(original);
        const twin = copies[index];
        for (const property of WRITTEN) twin?.style.setProperty(property, style.getPropertyValue(property));
        for (const { name, value } of [...(twin?.attributes ?? [])]) if (name !== 'style' && value.includes('var(')) twin?.removeAttribute(name);
    });
    copy.querySelectorAll('style').forEach((sheet) => sheet.remove());
    copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    const background = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    background.setAttribute('width', '100%');
    background.setAttribute('height', '100%');
    background.setAttribute('fill', getComputedStyle(chart.closest('figure') ?? document.body).backgroundColor);
    copy.prepend(background);
    return new XMLSerializer().serializeToString(copy);
}

/** The chart as a PNG file with two pixels to each of the screen's. */
export async function pngBlob(chart: SVGSVGElement): Promise<Blob> {
    const { width, height } = chart.getBoundingClientRect();
    const address = URL.createObjectURL(new Blob([svgText(chart)], { type: 'image/svg+xml' }));
    try {
        const image = new Image();
        image.src = address;
        await image.decode();
        const canvas = document.createElement('canvas');
        canvas.width = 2 * width;
        canvas.height = 2 * height;
        canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
        return await new Promise((resolve, reject) => {
            canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('this browser cannot write PNG'))), 'image/png');
        });
    } finally {
        URL.revokeObjectURL(address);
    }
}

/** Saves `blob` in the visitor's downloads. */
export function save(blob: Blob, filename: string): void {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = filename;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
