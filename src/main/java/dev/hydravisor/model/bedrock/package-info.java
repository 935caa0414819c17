/** Amazon Bedrock. */
@NullMarked
package dev.hydravisor.model.bedrock;

import org.jspecify.annotations.NullMarked;
