package dev.hydravisor.vm.libvirt;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;

/** XML documents in few words. */
final class Xml {
    private Xml() {}

    /** The root of a new document. */
    static Element root(String name, String... attributes) {
        try {
            var document = factory().newDocumentBuilder().newDocument();
            var root = document.createElement(name);
            document.appendChild(root);
            return set(root, attributes);
        } catch (ParserConfigurationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Adds an element; {@code attributes} are names and values by turns. */
    static Element add(Element parent, String name, String... attributes) {
        var child = parent.getOwnerDocument().createElement(name);
        parent.appendChild(child);
        return set(child, attributes);
    }

    /** Adds an element of a namespace; its prefix is declared on it. */
    static Element addIn(String namespace, Element parent, String qualifiedName, String... attributes) {
        var child = parent.getOwnerDocument().createElementNS(namespace, qualifiedName);
        parent.appendChild(child);
        return set(child, attributes);
    }

    static Element text(Element element, String text) {
        element.appendChild(element.getOwnerDocument().createTextNode(text));
        return element;
    }

    static String write(Element root) {
        try {
            var out = new StringWriter();
            var transformer = TransformerFactory.newDefaultInstance().newTransformer();
            transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
            transformer.transform(new DOMSource(root), new StreamResult(out));
            return out.toString();
        } catch (TransformerException e) {
            throw new IllegalStateException(e);
        }
    }

    static Element parse(String text) {
        try {
            return factory()
                    .newDocumentBuilder()
                    .parse(new InputSource(new StringReader(text)))
                    .getDocumentElement();
        } catch (ParserConfigurationException | SAXException | IOException e) {
            throw new IllegalStateException("libvirt wrote XML that cannot be read", e);
        }
    }

    /** All descendants of that path, such as {@code devices/interface/mac}. */
    static Stream<Element> at(Element element, String path) {
        var found = Stream.of(element);
        for (var step : path.split("/")) {
            found = found.flatMap(e -> children(e).stream().filter(c -> step.equals(c.getLocalName())));
        }
        return found;
    }

    private static List<Element> children(Element element) {
        var all = new ArrayList<Element>();
        for (var n = element.getFirstChild(); n != null; n = n.getNextSibling()) {
            if (n instanceof Element e) {
                all.add(e);
            }
        }
        return all;
    }

    private static Element set(Element element, String... attributes) {
        for (int i = 0; i < attributes.length; i += 2) {
            element.setAttribute(attributes[i], attributes[i + 1]);
        }
        return element;
    }

    private static DocumentBuilderFactory factory() throws ParserConfigurationException {
        var factory = DocumentBuilderFactory.newDefaultInstance();
        factory.setNamespaceAware(true);
        factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory;
    }
}
