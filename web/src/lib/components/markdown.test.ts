// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { loadMarkdown } from './markdown';

const render = await loadMarkdown();

test('Markdown becomes HTML, with headings below those of the page', () => {
    const html = render('# Data\n\n- **train**: `x`\n\n[paper](https://arxiv.org/abs/1708.07747)');
    expect(html).toContain('<h2>Data</h2>');
    expect(html).toContain('<li><strong>train</strong>: <code>x</code></li>');
    expect(html).toContain('<a href="https://arxiv.org/abs/1708.07747" rel="nofollow noopener">paper</a>');
});

// From OWASP's filter evasion cheat sheet.
test.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '[click](javascript:alert(1))',
    '<a href="jAvAsCrIpT:alert(1)">x</a>',
    '<svg onload=alert(1)></svg>',
    '<math><mi xlink:href="data:x,<script>alert(1)</script>"></mi></math>',
    '<iframe src="javascript:alert(1)"></iframe>',
    '<style>@import "http://evil.example/x.css"</style>',
    '<form action="/api/v1/session"><input name="password"></form>',
    '<div style="position:fixed;inset:0" id="main" class="app">x</div>',
])('%s does nothing', (attack) => {
    const html = render(attack);
    const holder = document.createElement('div');
    holder.innerHTML = html;
    expect(holder.querySelector('script, iframe, style, form, input, img')).toBeNull();
    const attributes = [...holder.querySelectorAll('*')].flatMap((element) => [...element.attributes].map(({ name, value }) => `${name}=${value}`));
    expect(attributes.filter((attribute) => !/^(rel=|href=https?:)/.test(attribute))).toEqual([]);
});

test('images from elsewhere become links, since the page may load nothing from there', () => {
    expect(render('![A cat](https://example.org/cat.jpg)')).toContain('<a href="https://example.org/cat.jpg" rel="nofollow noopener">A cat</a>');
});

test('images that the page knows are shown, whatever they would like to be', () => {
    const images = new Map([['figure.png', '/api/v1/challenges/x/files/figure']]);
    expect(render('![Ten kinds](figure.png)', images)).toContain('<img src="/api/v1/challenges/x/files/figure" alt="Ten kinds">');
    expect(render('<img src="figure.png" srcset="https://example.org/cat.jpg 2x" onload="alert(1)" alt="x">', images)).toBe('<img src="/api/v1/challenges/x/files/figure" alt="x">\n'.trim());
    expect(render('![Another](constructor)', images)).not.toContain('<img');
});

// Each is nested so deep that the parser runs out of stack.
test.each([
    ['quotations', `${'>'.repeat(20_000)}<img src=x onerror=alert(1)>`],
    ['lists', `${'- '.repeat(8_000)}<b>x</b>`],
])('a text of nested %s that breaks the parser is shown as it is, and the next one as ever', (_, source) => {
    const holder = document.createElement('div');
    holder.innerHTML = render(source);
    expect(holder.textContent).toBe(source);
    expect([...holder.querySelectorAll('*')].map(({ tagName }) => tagName)).toEqual(['PRE']);
    expect(render('**x**')).toContain('<strong>x</strong>');
});
