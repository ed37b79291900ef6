/** A chart as a file of its own: its title, its legend, and the colours and type that the page gives it are written into it. */

import { textWidth } from './plot';

const WRITTEN = ['fill', 'stroke', 'stroke-width', 'stroke-opacity', 'fill-opacity', 'opacity', 'font-family', 'font-size', 'font-weight', 'color'] as const;
const SVG = 'http://www.w3.org/2000/svg';

/** What a chart is to be taken out of: Plot's element, which holds the chart and perhaps a legend. */
export interface DrawnChart {
    title: string;
    element: Element;
}

/** The chart as the text of an SVG file, in the colours that it is shown in, on the page's background. */
export function svgText({ title, element }: DrawnChart): string {
    return new XMLSerializer().serializeToString(file(title, element));
}

/** The chart as a PNG file with two pixels to each of the chart's. */
export async function pngBlob({ title, element }: DrawnChart): Promise<Blob> {
    const svg = file(title, element);
    const [width, height] = [Number(svg.getAttribute('width')), Number(svg.getAttribute('height'))];
    const address = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(svg)], { type: 'image/svg+xml' }));
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

/** Title, legend and chart, one below the other. */
function file(title: string, element: Element): SVGSVGElement {
    // A legend's samples are SVG too, and smaller.
    const [chart] = [element, ...element.querySelectorAll('*')]
        .filter((part): part is SVGSVGElement => part instanceof SVGSVGElement)
        .sort((a, b) => b.viewBox.baseVal.height - a.viewBox.baseVal.height);
    if (!chart) throw new Error('nothing is drawn yet');
    const { width, height } = chart.viewBox.baseVal;
    const legend = [...element.querySelectorAll('[class*="-swatch"]:has(> svg)')].map((sample) => ({
        label: sample.textContent.trim(),
        colour: getComputedStyle(sample.querySelector('svg > *') ?? sample).fill,
    }));
    const style = getComputedStyle(element.closest('figure') ?? document.body);
    const above = legend.length > 0 ? 64 : 40;
    const whole = part('svg', { width, height: height + above, viewBox: `0 0 ${width} ${height + above}`, 'font-family': style.fontFamily, fill: style.color });
    whole.append(part('rect', { width: '100%', height: '100%', fill: getComputedStyle(chart.closest('figure:not([class*="plot"])') ?? document.body).backgroundColor }));
    whole.append(part('text', { x: 12, y: 26, 'font-size': 17, 'font-weight': 600 }, title));
    let across = 12;
    for (const { label, colour } of legend) {
        whole.append(part('rect', { x: across, y: 42, width: 13, height: 13, fill: colour }), part('text', { x: across + 18, y: 53, 'font-size': 12.5 }, label));
        across += 18 + textWidth(label, 12.5) + 16;
    }
    const inner = standalone(chart);
    inner.setAttribute('y', String(above));
    whole.append(inner);
    return whole as SVGSVGElement;
}

/** A copy in which nothing depends on the page's styles. */
function standalone(chart: SVGSVGElement): SVGSVGElement {
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
    return copy;
}

function part(name: string, attributes: Record<string, string | number>, text = ''): SVGElement {
    const element = document.createElementNS(SVG, name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
    element.textContent = text;
    return element;
}

/** Saves `blob` in the visitor's downloads. */
export function save(blob: Blob, filename: string): void {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = filename;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
