package dev.hydravisor.env;

import dev.hydravisor.operation.Actor;
import dev.hydravisor.operation.Request;
import java.lang.reflect.Method;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;

/** Has a test class ask as the user of this host, as a line of the console does. */
public final class AsUser implements InvocationInterceptor {
    @Override
    public void interceptBeforeEachMethod(
            Invocation<@Nullable Void> work, ReflectiveInvocationContext<Method> method, ExtensionContext context)
            throws Throwable {
        as(work);
    }

    @Override
    public void interceptTestMethod(
            Invocation<@Nullable Void> work, ReflectiveInvocationContext<Method> method, ExtensionContext context)
            throws Throwable {
        as(work);
    }

    @Override
    public void interceptTestTemplateMethod(
            Invocation<@Nullable Void> work, ReflectiveInvocationContext<Method> method, ExtensionContext context)
            throws Throwable {
        as(work);
    }

    @Override
    public void interceptAfterEachMethod(
            Invocation<@Nullable Void> work, ReflectiveInvocationContext<Method> method, ExtensionContext context)
            throws Throwable {
        as(work);
    }

    private static void as(Invocation<@Nullable Void> work) throws Throwable {
        Request.of(Actor.user(System.getProperty("user.name"))).call(work::proceed);
    }
}
